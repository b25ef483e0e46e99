"""Tells whether a Cosmos DB account leaves all requests of this process without an answer."""

import threading
from collections.abc import Callable


class Silence:
    """What requests to one account met, in all threads; safe to share between them.

    An account is silent once a request waited in vain for as long as one waits, and no other had
    an answer in that time. Whoever came before that was found, and has yet to ask, need not wait
    for as long again. Whoever comes later asks: the account may be back. Any answer ends it.

    Parameters
    ----------
    clock : callable
        Monotonic seconds.
    patience_s : float
        How long a request waits.
    """

    def __init__(self, clock: Callable[[], float], patience_s: float) -> None:
        self._clock = clock
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._answered_s = float("-inf")
        self._found_s = float("-inf")

    def answered(self) -> None:
        """Note an answer, whatever it says."""
        with self._lock:
            self._answered_s = self._clock()

    def unanswered(self, asked_s: float) -> None:
        """Note that a request ended without an answer; `asked_s` is when it began."""
        with self._lock:
            now_s = self._clock()
            if now_s - max(asked_s, self._answered_s) >= self._patience_s:
                self._found_s = now_s

    def was_found_after(self, came_s: float) -> bool:
        """Tell whether the account was found silent after that moment, and is silent still."""
        with self._lock:
            return self._found_s > max(came_s, self._answered_s)
