"""Tests of local.timers and local.schedule: functions run when they are due."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import azure.functions as func
import pytest

from local.functions import Target, TimerFunction
from local.invocation import Invoker
from local.schedule import parse_schedule
from local.timers import TimerRunner
from scoring.errors import SettingsError

Runs = list[tuple[datetime, bool]]
Call = Callable[[func.TimerRequest], None]
MakeRunner = Callable[..., TimerRunner]
START = datetime(2026, 5, 1, 12, 0, 30, tzinfo=UTC)  # a Friday


class Clock:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    def move(self, seconds: float) -> None:
        """Go forward."""
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands still."""
    return Clock()


@pytest.fixture
def runs() -> Runs:
    """Return an empty record of runs: when, and whether past due."""
    return []


@pytest.fixture
def runner(clock: Clock, runs: Runs) -> MakeRunner:
    """Return a maker of timers."""

    def make(
        schedule: str, *, run_on_startup: bool = False, call: Call | None = None
    ) -> TimerRunner:
        def take(timer: func.TimerRequest) -> None:
            runs.append((clock.now, timer.past_due))

        function = TimerFunction(Target("tick", call or take, "timer"), schedule, run_on_startup)
        return TimerRunner(function, Invoker(), clock)

    return make


@pytest.mark.parametrize(
    ("schedule", "times"),
    [
        ("0 */5 * * * *", ["12:05:00", "12:10:00"]),
        ("*/30 * * * * *", ["12:01:00", "12:01:30"]),
        ("15,45 1-2 * * * *", ["12:01:15", "12:01:45", "12:02:15"]),
        ("0 0 13 * January-December *", ["13:00:00"]),
        ("5 * * * *", ["12:05:00", "13:05:00"]),
        ("00:01:30", ["12:02:00", "12:03:30"]),
    ],
    ids=["minutes", "seconds", "lists", "names", "five fields", "time span"],
)
def test_schedules_are_read_as_the_host_does(schedule: str, times: list[str]) -> None:
    """Six NCRONTAB fields with seconds first, five from minutes, or a time span."""
    parsed, moment, found = parse_schedule(schedule, used_by="f"), START, []
    for _ in times:
        moment = parsed.next_after(moment)
        found.append(moment.strftime("%H:%M:%S"))
    assert found == times


def test_day_of_month_and_day_of_week_must_both_fit() -> None:
    """NCRONTAB joins them by and, cron by or: the next Friday the 13th."""
    found = parse_schedule("0 0 0 13 * Fri", used_by="f").next_after(START)
    assert found == datetime(2026, 11, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    "schedule",
    [
        "",
        "* * *",
        "0 0 0 31 2 *",
        "61 * * * * *",
        "0 0 0 L * *",
        "0 0 0 ? * *",
        "daily",
        "00:00:00",
    ],
)
def test_a_bad_schedule_is_refused(schedule: str) -> None:
    """The message names the function; signs that only cron knows are refused too."""
    with pytest.raises(SettingsError, match="tick"):
        parse_schedule(schedule, used_by="tick")


def test_a_timer_runs_when_it_is_due(runner: MakeRunner, clock: Clock, runs: Runs) -> None:
    """Not before, and once an occurrence."""
    timer = runner("0 * * * * *")
    assert timer.tick() == 30
    clock.move(29)
    assert timer.tick() == 1
    clock.move(1)
    assert timer.tick() == 60
    timer.tick()
    assert runs == [(START + timedelta(seconds=30), False)]


def test_run_on_startup_runs_at_once(runner: MakeRunner, runs: Runs) -> None:
    """Afterwards the schedule holds."""
    timer = runner("0 * * * * *", run_on_startup=True)
    assert timer.tick() == 30
    assert runs == [(START, False)]


def test_missed_occurrences_are_made_up_for_once(
    runner: MakeRunner, clock: Clock, runs: Runs
) -> None:
    """A machine that slept for an hour runs the function once, past due."""
    timer = runner("0 * * * * *")
    clock.move(3_600)
    timer.tick()
    timer.tick()
    assert runs == [(START + timedelta(hours=1), True)]


def test_a_run_that_lasts_is_not_overtaken(runner: MakeRunner, clock: Clock) -> None:
    """The next occurrence is counted from the run's end."""

    def last(timer: func.TimerRequest) -> None:
        clock.move(90)

    timer = runner("0 * * * * *", call=last)
    clock.move(30)
    assert timer.tick() == 30


def test_a_timer_that_raises_goes_on(
    runner: MakeRunner, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """The error is in the log."""

    def fail(timer: func.TimerRequest) -> None:
        clock.move(1)
        raise RuntimeError("no luck")

    timer = runner("0 * * * * *", call=fail)
    clock.move(30)
    assert timer.tick() == 59
    assert "no luck" in caplog.text
