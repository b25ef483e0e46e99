"""Reads the time of a reading: a number of any usual unit, or ISO 8601 text."""

import math
import re
from datetime import UTC, datetime, timedelta

from scoring.errors import ReadingRejectedError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Nanoseconds since 1970 in 64 bits, as every store keeps them: the years 1678 to 2261.
# A second is left at the end for what TIME_TIE_BREAK adds.
_MIN_NS, _MAX_NS = -(2**63) + 1, 2**63 - 1 - 1_000_000_000
# datetime keeps six digits of a second; what follows them is read here.
_BEYOND_MICROSECONDS = re.compile(r"(\d[.,]\d{6})(\d{1,3})\d*")
_LONGEST_TEXT = 64
_LONGEST_TO_MICROSECONDS = len("2026-01-01T00:00:00.000000")
# Below which absolute value a number counts as s, ms or us; above the last it is ns.
_UNITS = ((1e11, 1_000_000_000), (1e14, 1_000_000), (1e17, 1_000))


def event_time_ns(value: object, field: str) -> int:
    """Read an event time.

    Parameters
    ----------
    value : object
        As JSON gave it: a number in s, ms, us or ns since 1970 (the unit follows from its
        size), or ISO 8601 text, UTC where it names no zone.
    field : str
        The key it stood under.

    Returns
    -------
    int
        Nanoseconds since 1970, UTC. Fractions of a number are rounded to microseconds.

    Raises
    ------
    ReadingRejectedError
        With reason ``bad_event_time``.
    """
    try:
        if type(value) is str:
            time_ns = _from_text(value)
        elif type(value) is int or type(value) is float:
            time_ns = _from_number(value)
        else:
            raise TypeError(type(value).__name__)  # noqa: TRY301  # one message for all
    except (ValueError, TypeError, OverflowError) as error:
        raise ReadingRejectedError("bad_event_time", _EXPECTED, field) from error
    if not _MIN_NS <= time_ns <= _MAX_NS:
        raise ReadingRejectedError("bad_event_time", _EXPECTED, field)
    return time_ns


_EXPECTED = "expected ISO 8601 text or a number since 1970, between the years 1678 and 2261"


def _from_number(value: float) -> int:
    if not math.isfinite(value):
        raise ValueError(value)
    size = abs(value)
    unit_ns = next((unit_ns for limit, unit_ns in _UNITS if size < limit), 1)
    if type(value) is int:
        return value * unit_ns
    whole = math.floor(value)
    return whole * unit_ns + round((value - whole) * unit_ns / 1_000) * 1_000


def _from_text(text: str) -> int:
    # digits alone are a number in quotes; some of them would pass for dates of the year 1701
    if len(text) > _LONGEST_TEXT or (len(text) > len("20260101") and text[:9].isdigit()):
        raise ValueError(text)
    moment = datetime.fromisoformat(text)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    nanoseconds = 0
    # the usual form with milliseconds is shorter than any that goes beyond microseconds
    longest = _LONGEST_TO_MICROSECONDS if text[4] == "-" else len("20260101T000000.000000")
    if len(text) > longest:
        beyond = _BEYOND_MICROSECONDS.search(text)
        nanoseconds = int(beyond[2].ljust(3, "0")) if beyond else 0
    return (moment - EPOCH) // _MICROSECOND * 1_000 + nanoseconds


def iso_time(time_ns: int) -> str:
    """Write a time for people: ISO 8601, UTC, with as many digits as it needs."""
    moment = EPOCH + timedelta(microseconds=time_ns // 1_000)
    text = moment.isoformat(timespec="microseconds").removesuffix("+00:00")
    return f"{text}{time_ns % 1_000:03d}".rstrip("0").rstrip(".") + "Z"
