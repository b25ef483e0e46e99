"""Runs timer functions on their schedules."""

import json
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from azure.functions import meta, timer

from local.functions import TimerFunction
from local.invocation import Invoker
from local.schedule import parse_schedule

MAX_WAIT_S = 30.0  # looks at the clock at least so often: a laptop sleeps, and clocks are set
PAST_DUE = timedelta(seconds=1)  # the finest step of a schedule

_logger = logging.getLogger("local.timers")


def utc_now() -> datetime:
    """Return the time now, UTC-aware."""
    return datetime.now(UTC)


class TimerRunner:
    """Runs one timer function, never twice at a time.

    Occurrences missed, by a long run or a sleeping machine, are made up for by one run with
    `past_due`; the next one is counted from its end. A run that raises is logged, and the
    schedule goes on.

    Parameters
    ----------
    function : TimerFunction
        What to run.
    invoker : Invoker
        Calls it.
    clock : callable
        The time now, UTC-aware.

    Raises
    ------
    SettingsError
        If the schedule cannot be read.
    """

    def __init__(
        self, function: TimerFunction, invoker: Invoker, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self.name = function.target.name
        self._function = function
        self._invoker = invoker
        self._clock = clock
        self._schedule = parse_schedule(function.schedule, used_by=function.target.name)
        self._last: datetime | None = None
        now = clock()
        self._next = now if function.run_on_startup else self._schedule.next_after(now)

    def tick(self) -> float:
        """Run the function if it is due; return the seconds until it is due next."""
        now = self._clock()
        if now >= self._next:
            self._run(now)
            self._last, now = now, self._clock()
            self._next = self._schedule.next_after(now)
        return max(0.0, (self._next - now).total_seconds())

    def run(self, stopping: threading.Event) -> None:
        """Tick until `stopping` is set."""
        while not stopping.wait(min(self.tick(), MAX_WAIT_S)):
            pass

    def _run(self, now: datetime) -> None:
        info = {
            "Schedule": {"AdjustForDST": True},
            "ScheduleStatus": {
                "Last": (self._last or now).isoformat(),
                "Next": self._schedule.next_after(now).isoformat(),
                "LastUpdated": now.isoformat(),
            },
            "IsPastDue": now - self._next > PAST_DUE,
        }
        try:
            request = timer.TimerRequestConverter.decode(_json(info), trigger_metadata={})
            self._invoker.invoke(self._function.target, request)
        except Exception:
            _logger.exception("%s failed", self.name)


def _json(value: object) -> meta.Datum:
    return meta.Datum(json.dumps(value), "json")
