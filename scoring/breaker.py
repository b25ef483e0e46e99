"""Keeps a store that is down from stalling batches: after a failure it is left alone."""

import threading
from collections.abc import Callable
from typing import Literal

State = Literal["ok", "open", "busy", "trying"]
# Long enough that a store is not pestered, short enough to notice a recovery.
_FIRST_PAUSE_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 60.0
_MOST_DOUBLINGS = 10  # far past the longest pause; an outage may last for weeks


class Breaker:
    """Says whether a store may be written to, or tried; safe to use from any thread.

    A failed batch opens it: it has cost its bounded retries already. Nobody writes then, and
    after a pause, which doubles with each failure up to a minute, one trial at a time may be
    made. A success closes it.

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

    def is_closed(self) -> bool:
        """Tell whether to write; whoever does reports back with what became of it."""
        with self._lock:
            return self._failures == 0

    def claims_trial(self) -> bool:
        """Tell whether to try an open one now; whoever is told so reports back, too."""
        with self._lock:
            if not self._failures or self._is_trying or self._clock() < self._closed_until_tried:
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
        """Count a failure, and leave the store alone for a pause."""
        with self._lock:
            # batches that began before it opened tell nothing new
            if not self._failures or self._is_trying:
                doublings = min(self._failures, _MOST_DOUBLINGS)
                self._failures += 1
                pause = min(_FIRST_PAUSE_SECONDS * 2**doublings, _LONGEST_PAUSE_SECONDS)
                self._closed_until_tried = self._clock() + pause
            self._is_trying = False
            self._is_busy, self._remedy = False, remedy

    def state(self) -> State:
        """Tell how it stands, for health."""
        with self._lock:
            if self._failures == 0:
                return "busy" if self._is_busy else "ok"
            return "trying" if self._is_trying else "open"

    def remedy(self) -> str:
        """Tell what to look at, for health; empty while nothing is wrong."""
        with self._lock:
            return self._remedy
