"""Tests of scoring.pace: work that takes long is done the more rarely."""

from datetime import timedelta

import pytest

from scoring.pace import Pace
from tests.spilled_work import Clock

AT_LEAST = timedelta(seconds=10)


def worked(clock: Clock, seconds: float) -> Pace:
    """Work for so long."""
    pace = Pace(clock, AT_LEAST)
    with pace.work():
        clock.now += timedelta(seconds=seconds)
    return pace


@pytest.mark.parametrize(
    ("took_s", "pause_s"),
    [(0, 10), (0.4, 10), (3, 60), (60, 1_200), (86_400, 1_800), (-86_400, 10)],
    ids=["nothing", "little", "long", "very long", "clock set ahead", "clock set back"],
)
def test_work_is_due_after_twenty_times_what_it_took(took_s: float, pause_s: float) -> None:
    """At least after the shortest pause, and never only after days."""
    clock = Clock()
    pace = worked(clock, took_s)
    clock.now += timedelta(seconds=pause_s - 0.1)
    assert not pace.is_due()
    clock.now += timedelta(seconds=0.1)
    assert pace.is_due()


def test_work_that_fails_is_due_at_once() -> None:
    """Like work that was never done."""
    pace = Pace(Clock(), AT_LEAST)
    assert pace.is_due()
    with pytest.raises(OSError, match="away"), pace.work():
        raise OSError("away")
    assert pace.is_due()
