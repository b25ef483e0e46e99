"""Keeps the spill within its size."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from scoring.background import in_background
from scoring.errors import SpillFullError, StorageUnavailableError
from scoring.pace import Pace
from scoring.storage import Container, Stored

_log = logging.getLogger(__name__)
_MB = 1_000_000
# How long a listing counts at least: what this process puts itself is added to it at once.
_LISTED_FOR = timedelta(seconds=10)


class SpillRoom:
    """How much more may wait, as far as processes know of each other.

    Guarantee: a process counts what was there when it last listed, and all that it put since. Its
    first claim lists; after that one listing at a time is made beside the batches, and no claim
    waits for it. Safe to use from any thread.

    Parameters
    ----------
    container : Container
    max_mb : float
        In units of 1,000,000 bytes.
    clock : callable
        UTC.
    beside : callable
        Runs a listing without waiting for it.
    """

    def __init__(
        self,
        container: Container,
        max_mb: float,
        clock: Callable[[], datetime],
        beside: Callable[[Callable[[], None]], None] = in_background,
    ) -> None:
        self._container = container
        self._max_bytes = max_mb * _MB
        self._beside = beside
        self._pace = Pace(clock, _LISTED_FOR)
        self._lock = threading.Lock()
        self._is_known = self._is_listing = False
        self._n_bytes = 0
        self._own_sizes: dict[str, int] = {}  # of what was put since the last listing began
        self._under_way: list[dict[str, int]] = []  # of what was put since each that is made now

    def claim(self, path: str, n_bytes: int) -> None:
        """Take room for a file, or for the one that takes its place; raises `SpillFullError`."""
        if not self._is_known:  # batches side by side do not wait for each other's listing
            self._list()
        elif self._pace.is_due():
            self._begin_listing()
        if self._takes(path, n_bytes):
            return
        # full, unless it is there already: a batch that is held comes again and again
        self._count_own_place(path)
        if not self._takes(path, n_bytes):
            raise SpillFullError(self._max_bytes / _MB)

    def _takes(self, path: str, n_bytes: int) -> bool:
        with self._lock:
            added = n_bytes - self._own_sizes.get(path, 0)
            if self._n_bytes + added > self._max_bytes:
                return False
            self._n_bytes += added
            for sizes in (self._own_sizes, *self._under_way):
                sizes[path] = n_bytes
            return True

    def _count_own_place(self, path: str) -> None:
        """Find what is replaced among what was listed, or was put by another process."""
        with self._lock:
            if path in self._own_sizes:
                return
        found = self._container.get(path)
        if isinstance(found, Stored):
            with self._lock:
                self._own_sizes.setdefault(path, len(found.data))

    def _list(self) -> None:
        """Count anew what lies there."""
        meanwhile: dict[str, int] = {}
        with self._lock:
            self._under_way.append(meanwhile)
        try:
            with self._pace.work():
                listed = sum(entry.size for entry in self._container.list())
                with self._lock:  # what was put meanwhile may be listed too: too much is better
                    self._n_bytes = listed + sum(meanwhile.values())
                    self._own_sizes = meanwhile
                    self._is_known = True
        finally:  # one that failed changes nothing
            with self._lock:
                self._under_way = [one for one in self._under_way if one is not meanwhile]

    def _begin_listing(self) -> None:
        with self._lock:
            if self._is_listing:
                return
            self._is_listing = True
        try:
            self._beside(self._list_beside)
        except RuntimeError as error:  # no thread to be had
            self._is_listing = False
            _log.warning("the spill cannot be listed now: %s", error)

    def _list_beside(self) -> None:
        try:
            self._list()
        except StorageUnavailableError as error:  # what is put meanwhile is counted all the same
            _log.warning("the spill cannot be listed now: %s", error)
        finally:
            self._is_listing = False
