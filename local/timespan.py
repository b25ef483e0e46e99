"""Time spans as the Functions host writes them: ``hh:mm:ss``."""

import re

from scoring.errors import SettingsError

_TIMESPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{1,2}):(\d{1,2}(?:\.\d{1,7})?)")


def is_timespan(text: str) -> bool:
    """Tell whether `text` reads ``hh:mm:ss``, with days and fractions allowed."""
    return _TIMESPAN.fullmatch(text.strip()) is not None


def parse_timespan(text: str, *, used_by: str) -> float:
    """Return the seconds of a time span such as ``00:00:30`` or ``1.12:00:00``.

    Raises
    ------
    SettingsError
        If the text is no time span; names `used_by`.
    """
    found = _TIMESPAN.fullmatch(text.strip())
    if found is None:
        raise SettingsError([f"{used_by}: write the time span {text!r} as hh:mm:ss"])
    days, hours, minutes, seconds = found.groups(default="0")
    return ((int(days) * 24 + int(hours)) * 60 + int(minutes)) * 60 + float(seconds)
