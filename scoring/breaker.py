"""Keeps a store that is down from stalling every batch: after failures it is left alone a while."""

import threading
from collections.abc import Callable
from typing import Literal

State = Literal["ok", "open", "busy", "trying"]
# One failed batch may be a hiccup, and has cost its bounded retries already; two in a row are not.
_FAILURES_TO_OPEN = 2
# Long enough that partitions lose little time on trying, short enough to notice a recovery.
_FIRST_PAUSE_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 60.0


class Breaker:
    """Says whether a store may be tried; safe to use from any thread.

    After two failures in a row it opens: nobody tries for a pause, which doubles with each
    failure after it up to a minute. Then one batch at a time tries, and a success closes it.

    Parameters
    ----------
    clock : callable
        Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._closed_until_tried = float("-inf")
        self._is_trying = False
        self._is_busy = False
        self._remedy = ""

    def may_try(self) -> bool:
        """Tell whether to write now; whoever is told so reports back with what became of it."""
        with self._lock:
            if self._failures < _FAILURES_TO_OPEN:
                return True
            if self._is_trying or self._clock() < self._closed_until_tried:
                return False
            self._is_trying = True
            return True

    def succeeded(self) -> None:
        """Close it."""
        self._close(is_busy=False, remedy="")

    def throttled(self, remedy: str) -> None:
        """Close it: the store is there, though it asks for patience."""
        self._close(is_busy=True, remedy=remedy)

    def _close(self, *, is_busy: bool, remedy: str) -> None:
        with self._lock:
            self._failures = 0
            self._is_trying = False
            self._is_busy, self._remedy = is_busy, remedy

    def failed(self, remedy: str = "") -> None:
        """Count a failure, and open it where that is one too many."""
        with self._lock:
            self._failures += 1
            self._is_trying = False
            self._is_busy, self._remedy = False, remedy
            doublings = min(max(self._failures - _FAILURES_TO_OPEN, 0), 10)
            pause = min(_FIRST_PAUSE_SECONDS * 2**doublings, _LONGEST_PAUSE_SECONDS)
            self._closed_until_tried = self._clock() + pause

    def state(self) -> State:
        """Tell how it stands, for health."""
        with self._lock:
            if self._failures == 0:
                return "busy" if self._is_busy else "ok"
            return "trying" if self._is_trying or self._failures < _FAILURES_TO_OPEN else "open"

    def remedy(self) -> str:
        """Tell what to look at, for health; empty while nothing is wrong."""
        with self._lock:
            return self._remedy
