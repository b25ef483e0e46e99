"""Does the newest piece of work beside the batches, which wait for it only shortly."""

import logging
import threading
import weakref
from collections.abc import Callable

from scoring.background import in_background

_log = logging.getLogger(__name__)
Work = Callable[[], None]
# A healthy storage takes some tens of milliseconds. A host may freeze a process between its
# invocations, so what is quick is done before one ends.
_PATIENCE_S = 1.0
# The end of a process waits so long for what is under way: hosts end a process that takes longer.
_PATIENCE_AT_EXIT_S = 2.0


class SideWork:
    """Work of one kind, one piece at a time; safe to use from any thread.

    Guarantee: pieces are done in the order in which they were given. Where one takes long, those
    that are given meanwhile wait for it, of them the newest alone is done, and the caller does not
    wait at all. What a piece raises is logged, and ends nothing else.

    Parameters
    ----------
    background : callable
        Runs work beside the caller; a thread that ends with the work by default.
    patience_s : float
        How long a caller waits for what it has begun.
    """

    def __init__(
        self, background: Callable[[Work], None] = in_background, patience_s: float = _PATIENCE_S
    ) -> None:
        self._background = background
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._newest: Work | None = None
        self._is_idle = threading.Event()
        self._is_idle.set()
        # no `atexit`: that would keep every one there ever was, with its storage
        weakref.finalize(self, self._is_idle.wait, _PATIENCE_AT_EXIT_S)

    def do(self, work: Work) -> None:
        """Do a piece of work, and wait shortly for its end."""
        with self._lock:
            self._newest = work
            if not self._is_idle.is_set():
                return
            self._is_idle.clear()
        try:
            self._background(self._do_all)
        except RuntimeError as error:  # no thread to be had
            self._is_idle.set()
            _log.warning("nothing can be done beside the batches now: %s", error)
        self.settle(self._patience_s)

    def settle(self, seconds: float) -> bool:
        """Wait until nothing is under way, or so long; tell whether that is so."""
        return self._is_idle.wait(seconds)

    def _do_all(self) -> None:
        while (work := self._next()) is not None:
            try:
                work()
            except Exception as error:  # noqa: BLE001  # nobody else hears of it
                _log.error("work beside the batches failed", exc_info=error)

    def _next(self) -> Work | None:
        with self._lock:
            work, self._newest = self._newest, None
            if work is None:
                self._is_idle.set()
            return work
