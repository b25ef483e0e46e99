"""Lets work be done the more rarely the longer it takes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from scoring.clocks import has_passed

# So at most a twentieth of the time goes into it.
_PAUSE_FOR_DURATION = 20
# A clock that is set ahead during the work must not end it for days.
_LONGEST_PAUSE = timedelta(minutes=30)


class Pace:
    """Tells when work is due again: at the earliest after 20 times what it took last.

    Parameters
    ----------
    clock : callable
        UTC.
    at_least : timedelta
        The shortest pause.
    """

    def __init__(self, clock: Callable[[], datetime], at_least: timedelta) -> None:
        self._clock = clock
        self._at_least = at_least
        self._pause = at_least
        self._done: datetime | None = None

    def is_due(self) -> bool:
        """Tell whether to do it now."""
        return has_passed(self._pause, self._done, self._clock())

    @contextmanager
    def work(self) -> Iterator[None]:
        """Take the time of the work; what raises is due at once again."""
        began = self._clock()
        yield
        self._done = self._clock()
        pause = (self._done - began) * _PAUSE_FOR_DURATION
        self._pause = max(self._at_least, min(pause, _LONGEST_PAUSE))
