"""When a timer runs: NCRONTAB expressions and time spans, in UTC."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from croniter import CroniterError, croniter

from local.timespan import is_timespan, parse_timespan
from scoring.errors import SettingsError

_NAMES = "jan feb mar apr may jun jul aug sep oct nov dec sun mon tue wed thu fri sat"
_WORD = re.compile(r"[A-Za-z]+")
_FIELD = re.compile(r"[0-9A-Za-z*/,-]+")  # croniter knows more signs than NCRONTAB does


class Schedule(Protocol):
    """When to run next."""

    def next_after(self, moment: datetime) -> datetime:
        """Return the first occurrence later than `moment`."""


@dataclass(frozen=True, slots=True)
class EverySchedule:
    """Runs at a fixed distance."""

    interval: timedelta

    def next_after(self, moment: datetime) -> datetime:
        """Return `moment` plus the interval."""
        return moment + self.interval


@dataclass(frozen=True, slots=True)
class CronSchedule:
    """An NCRONTAB expression; day of month and day of week must both fit, unlike in cron."""

    expression: str

    def next_after(self, moment: datetime) -> datetime:
        """Return the first occurrence later than `moment`, a UTC-aware time."""
        times = croniter(self.expression, moment, day_or=False, second_at_beginning=True)
        found: datetime = times.get_next(datetime)
        return found


def parse_schedule(text: str, *, used_by: str) -> Schedule:
    """Read a timer's schedule.

    Parameters
    ----------
    text : str
        NCRONTAB of six fields, seconds first (five fields begin with minutes), or a time span
        ``hh:mm:ss``.
    used_by : str
        The function, for the message.

    Raises
    ------
    SettingsError
        If the schedule is neither, or never comes.
    """
    if is_timespan(text):
        seconds = parse_timespan(text, used_by=used_by)
        if seconds <= 0:
            raise SettingsError([f"{used_by}: its schedule {text} must be longer than 0 s"])
        return EverySchedule(timedelta(seconds=seconds))
    fields = text.split()
    expression = " ".join(_WORD.sub(lambda word: word[0][:3].lower(), f) for f in fields)
    words = _WORD.findall(expression)
    known = len(fields) in {5, 6} and all(map(_FIELD.fullmatch, fields))
    if known and set(words) <= set(_NAMES.split()) and _comes(expression):
        return CronSchedule(expression)
    form = "NCRONTAB with six fields, seconds first, such as 0 */5 * * * *"
    raise SettingsError([f"{used_by}: write its schedule {text!r} as {form}"])


def _comes(expression: str) -> bool:
    try:
        CronSchedule(expression).next_after(datetime(2024, 1, 1, tzinfo=UTC))
    except CroniterError:
        return False
    return True
