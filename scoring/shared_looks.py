"""Looks something up beside those who ask, once for all of them."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from functools import partial
from typing import Generic, TypeVar

from scoring.background import in_background

_log = logging.getLogger(__name__)
Work = Callable[[], None]
T = TypeVar("T")
# What was found, and whether that is no failure.
Outcome = tuple[T, bool]
# Anyone may ask, as often as they like; this keeps the questions that reach storage rare.
GOOD_FOR_S = 1.0
# What was just out of reach mostly still is, and each try costs the client's retries.
FAILED_FOR_S = 5.0
# Probes of platforms and monitors often wait 10 s; a refused storage tells after some 4 s.
PATIENCE_S = 8.0
# Threads are few, and batches need them too: an outage holds probes up once. A storage that is
# back answers in tens of milliseconds.
PATIENCE_AFTER_FAILURE_S = 2.0


class Look(Generic[T]):
    """One look, for whose outcome any number of threads may wait.

    Parameters
    ----------
    clock : callable
        Monotonic seconds.
    patience_s : float
        How long after its beginning anyone waits.
    """

    def __init__(self, clock: Callable[[], float], patience_s: float) -> None:
        self._clock = clock
        self._patient_until = clock() + patience_s
        self._found: Future[T] = Future()
        self._counts_until = float("inf")
        self.is_good = False

    def make(self, find: Callable[[], Outcome[T]]) -> None:
        """Look; what that raises is raised to all who wait."""
        try:
            found, self.is_good = find()
        except Exception as error:  # noqa: BLE001  # raised to who waits: maybe nobody, by now
            _log.error("a look failed", exc_info=error)
            self._end()
            self._found.set_exception(error)
        else:
            self._end()
            self._found.set_result(found)

    def give_up(self) -> None:
        """Let nobody wait."""
        self._end()
        self._found.cancel()

    def _end(self) -> None:
        self._counts_until = self._clock() + (GOOD_FOR_S if self.is_good else FAILED_FOR_S)

    def counts(self) -> bool:
        """Tell whether it is under way, or its outcome not yet old."""
        return self._clock() < self._counts_until

    def is_over(self) -> bool:
        """Tell whether it has ended."""
        return self._found.done()

    def patience_left_s(self) -> float:
        """Tell how long anyone waits for it still."""
        return max(self._patient_until - self._clock(), 0.0)

    def found(self, at_most_s: float = float("inf")) -> T | None:
        """Wait for the outcome, as long as is left or so long; None where there is none then."""
        try:
            return self._found.result(min(self.patience_left_s(), at_most_s))
        except (TimeoutError, CancelledError):
            return None


class SharedLook(Generic[T]):
    """Looks of one kind, one at a time; safe to use from any thread.

    Guarantee: whoever asks waits no longer than until 8 s after the beginning of a look, 2 s where
    the one before it failed, and no lock is held meanwhile. An outcome is told to all who ask
    within a second; a failure within five, so that they do not repeat it one by one.

    Parameters
    ----------
    find : callable
        Looks; never called while it is under way.
    clock : callable
        Monotonic seconds.
    background : callable
        Runs a look beside who asks; a thread by default.
    """

    def __init__(
        self,
        find: Callable[[], Outcome[T]],
        clock: Callable[[], float] = time.monotonic,
        background: Callable[[Work], None] = in_background,
    ) -> None:
        self._find = find
        self._clock = clock
        self._background = background
        self._lock = threading.Lock()
        self._look: Look[T] | None = None

    def begin(self) -> Look[T]:
        """Join the look that is under way or counts still, or else begin one."""
        with self._lock:
            before = self._look
            if before is not None and before.counts():
                return before
            has_failed = before is not None and not before.is_good
            patience_s = PATIENCE_AFTER_FAILURE_S if has_failed else PATIENCE_S
            look = self._look = Look[T](self._clock, patience_s)
        try:
            self._background(partial(look.make, self._find))
        except RuntimeError as error:  # no thread to be had
            _log.warning("nothing can be looked up now: %s", error)
            look.give_up()
        return look
