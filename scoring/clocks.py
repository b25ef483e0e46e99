"""Compares times of clocks that are set now and then, or are wrong."""

from datetime import datetime, timedelta


def has_passed(pause: timedelta, since: datetime | None, now: datetime) -> bool:
    """Tell whether something is due again.

    A clock that was set back says nothing about the time that passed: then it is due at once,
    and not only after the clock has caught up.

    Parameters
    ----------
    pause : timedelta
    since : datetime or None
        When it was done last; None: never.
    now : datetime
        On the same clock.
    """
    return since is None or not timedelta(0) <= now - since < pause


def age_s(then: datetime, now: datetime) -> float:
    """Return an age in seconds; 0 for what another clock dates in the future."""
    return max(round((now - then).total_seconds(), 1), 0.0)
