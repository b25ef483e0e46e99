"""Keeps a store that is down from stalling batches: after a failure it is left alone."""

import threading
from collections.abc import Callable
from typing import Literal

State = Literal["ok", "open", "busy", "trying"]
# Long enough that a store is not pestered, short enough to notice a recovery.
_FIRST_PAUSE_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 60.0
# Far longer than any sink waits: its thread is gone, or hangs.
_LONGEST_TRIAL_SECONDS = 300.0
_MOST_DOUBLINGS = 10  # far past the longest pause; an outage may last for weeks


class Breaker:
    """Says whether a store may be written to, or tried; safe to use from any thread.

    A failed batch opens it: it has cost its bounded retries already. Nobody writes then, and
    after a pause, which doubles with each trial that fails up to a minute, one trial at a time may
    be made; one that nobody hears of any more is given up. A success closes it.

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
        self._trial: int | None = None
        self._n_trials = 0
        self._tried_at = float("-inf")
        self._is_busy = False
        self._remedy = ""

    def is_closed(self) -> bool:
        """Tell whether to write; whoever does reports back with what became of it."""
        with self._lock:
            return self._failures == 0

    def claim_trial(self) -> int | None:
        """Return a number where an open one is to be tried now, to report back under."""
        with self._lock:
            now = self._clock()
            if not self._failures or now < self._closed_until_tried:
                return None
            if self._trial is not None and now < self._tried_at + _LONGEST_TRIAL_SECONDS:
                return None
            self._n_trials += 1
            self._trial, self._tried_at = self._n_trials, now
            return self._trial

    def succeeded(self) -> None:
        """Close it."""
        self._close(is_busy=False, remedy="")

    def throttled(self, remedy: str) -> None:
        """Close it: the store is there, though it asks for patience."""
        self._close(is_busy=True, remedy=remedy)

    def _close(self, *, is_busy: bool, remedy: str) -> None:
        with self._lock:
            self._failures = 0
            self._trial = None
            self._is_busy, self._remedy = is_busy, remedy

    def failed(self, remedy: str = "", trial: int | None = None) -> None:
        """Count a failure, and leave the store alone for a pause.

        Parameters
        ----------
        remedy : str
            What to look at.
        trial : int, optional
            Which trial failed; without one it is a batch.
        """
        with self._lock:
            self._is_busy, self._remedy = False, remedy
            # batches that began before it opened tell nothing new, nor do trials given up
            if self._failures and (trial is None or trial != self._trial):
                return
            doublings = min(self._failures, _MOST_DOUBLINGS)
            self._failures += 1
            pause = min(_FIRST_PAUSE_SECONDS * 2**doublings, _LONGEST_PAUSE_SECONDS)
            self._closed_until_tried = self._clock() + pause
            self._trial = None

    def state(self) -> State:
        """Tell how it stands, for health."""
        with self._lock:
            if self._failures == 0:
                return "busy" if self._is_busy else "ok"
            return "open" if self._trial is None else "trying"

    def remedy(self) -> str:
        """Tell what to look at, for health; empty while nothing is wrong."""
        with self._lock:
            return self._remedy
