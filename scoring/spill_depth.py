"""Measures how much waits in the spill."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from scoring.pace import Pace
from scoring.storage import Container


@dataclass(frozen=True, slots=True)
class SpillDepth:
    """How much waits to be written back.

    Parameters
    ----------
    n_files, n_bytes : int
    oldest : datetime or None
        When the oldest file was written; UTC.
    """

    n_files: int
    n_bytes: int
    oldest: datetime | None


class DepthGauge:
    """Lists what waits, the more rarely the longer a listing takes; safe to use from any thread.

    Parameters
    ----------
    container : Container
    prefix : str
        Of the paths to measure.
    clock : callable
        UTC.
    at_least : timedelta
        How long a listing counts at least.
    """

    def __init__(
        self,
        container: Container,
        prefix: str,
        clock: Callable[[], datetime],
        at_least: timedelta,
    ) -> None:
        self._container = container
        self._prefix = prefix
        self._lock = threading.Lock()  # of its own: no batch waits for a reader
        self._pace = Pace(clock, at_least)
        self._depth = SpillDepth(0, 0, None)

    def depth(self) -> SpillDepth:
        """Return the last measurement, or a new one where it is due."""
        with self._lock:
            if self._pace.is_due():
                with self._pace.work():
                    self._depth = self._listed()
            return self._depth

    def _listed(self) -> SpillDepth:
        n_files = n_bytes = 0
        oldest: datetime | None = None
        for entry in self._container.list(self._prefix):  # no list of them: they may be many
            n_files += 1
            n_bytes += entry.size
            oldest = entry.modified if oldest is None else min(oldest, entry.modified)
        return SpillDepth(n_files, n_bytes, oldest)
