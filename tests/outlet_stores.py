"""Stores in memory behind an outlet."""

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from scoring.breaker import Breaker
from scoring.errors import SinkThrottledError, SinkUnavailableError
from scoring.event_batch import EventBatch
from scoring.events import Rejected
from scoring.outlets import Outlet
from scoring.scored import Refused, ScoredBatch
from scoring.spill import Spill
from scoring.storage import FolderStorage
from tests.event_batches import body, event_batch
from tests.moved_time import Clock
from tests.scored_batches import scored_batch

DOWN = SinkUnavailableError("store", "is down", "mend it")
BUSY = SinkThrottledError("store", "asks for patience", "wait")


class Store:
    """A sink in memory that fails as it is told."""

    name = "store"

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.written: list[ScoredBatch] = []
        self.refuses: Sequence[int] = ()
        self.unwanted: Sequence[int] = ()
        # the batches that alone meet the fault, by their first numbers
        self.poison: Collection[int] | None = None
        self.tried: list[int] = []  # by their first numbers as well

    @property
    def tries(self) -> int:
        """How often it was written to."""
        return len(self.tried)

    def wanted(self, batch: ScoredBatch) -> ScoredBatch:
        """Return the readings that it keeps."""
        return batch.take([row for row in range(len(batch)) if row not in self.unwanted])

    def write(self, batches: Sequence[ScoredBatch]) -> Sequence[Refused]:
        """Keep the batches, or fail."""
        first = int(batches[0].sequence_numbers[0])
        self.tried.append(first)
        if self.fault is not None and (self.poison is None or first in self.poison):
            raise self.fault
        self.written += batches
        return [Refused(batch, row, "too old") for batch in batches for row in self.refuses]


@dataclass(frozen=True, slots=True)
class SilentStore:
    """A sink that answers when it is told to."""

    silent: threading.Event
    ended: threading.Event
    name: str = "store"

    def wanted(self, batch: ScoredBatch) -> ScoredBatch:
        """Return all of it."""
        return batch

    def write(self, _: Sequence[ScoredBatch]) -> Sequence[Refused]:
        """Wait, and then take everything."""
        assert self.silent.wait(10)
        self.ended.set()
        return []


def outlet(store: Store, clock: Clock, folder: Path, max_mb: float = 10) -> Outlet:
    """Build an outlet with its spill in a folder."""
    spill = Spill(FolderStorage(folder).container("spill"), max_mb, lambda: datetime.now(UTC))
    return Outlet(store, Breaker(clock), spill, beside=lambda trial: trial())


def work(n: int = 3, first: int = 0) -> tuple[EventBatch, list[ScoredBatch]]:
    """Make a batch and its scores."""
    events = event_batch([body(number) for number in range(first, first + n)], first=first)
    return events, [scored_batch(n, first=first)]


def down(store: Store, clock: Clock, folder: Path, n_batches: int = 1) -> Outlet:
    """Build an outlet whose store is down, with batches of three readings that wait for it."""
    store.fault = DOWN
    out = outlet(store, clock, folder)
    for number in range(n_batches):
        out.deliver(*work(first=3 * number))
    return out


def turned_away(_: EventBatch, rejected: Sequence[Rejected]) -> None:
    """Expect nothing."""
    raise AssertionError(rejected)
