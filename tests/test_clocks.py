"""Tests of scoring.clocks: times of clocks that jump."""

from datetime import UTC, datetime, timedelta

import pytest

from scoring.clocks import age_s, has_passed

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
PAUSE = timedelta(seconds=10)


@pytest.mark.parametrize(
    ("seconds", "is_due"),
    [(0, False), (9.9, False), (10, True), (86_400, True), (-0.1, True), (-86_400, True)],
)
def test_a_pause_ends_after_its_time_or_when_the_clock_is_set_back(
    seconds: float, is_due: bool
) -> None:
    """A clock that was set back by a day must not make the pause last a day."""
    assert has_passed(PAUSE, NOON, NOON + timedelta(seconds=seconds)) is is_due


def test_what_was_never_done_is_due() -> None:
    """There is no time to compare with."""
    assert has_passed(PAUSE, None, NOON)


@pytest.mark.parametrize(("seconds", "age"), [(3.21, 3.2), (0, 0.0), (-86_400, 0.0)])
def test_an_age_is_never_below_zero(seconds: float, age: float) -> None:
    """Another clock may date a file in the future."""
    assert age_s(NOON, NOON + timedelta(seconds=seconds)) == age
