"""When a store that fails while it is drained is left alone, until the next run of the timer."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scoring.breaker import Breaker
from scoring.errors import SinkThrottledError, SinkUnavailableError
from scoring.outlets import Outlet
from scoring.scored import Refused, ScoredBatch
from scoring.spill import Spill
from scoring.storage import FolderStorage
from tests.event_batches import body, event_batch
from tests.scored_batches import scored_batch

DOWN = SinkUnavailableError("store", "is down", "mend it")
BUSY = SinkThrottledError("store", "asks for patience", "wait")
BUG = TypeError("a bug")


class Store:
    """A sink that meets these faults, write by write; None: it takes the batch."""

    name = "store"

    def __init__(self, *faults: Exception | None) -> None:
        self.faults = list(faults)

    def wanted(self, batch: ScoredBatch) -> ScoredBatch:
        """Return all of it."""
        return batch

    def write(self, _: Sequence[ScoredBatch]) -> Sequence[Refused]:
        """Take a batch, or fail."""
        fault = self.faults.pop(0)
        if fault is not None:
            raise fault
        return []


def drain(folder: Path, store: Store, n_batches: int) -> int:
    """Spill batches of one reading each, and drain them."""
    spill = Spill(FolderStorage(folder).container("spill"), 10, lambda: datetime.now(UTC))
    for first in range(n_batches):
        events = event_batch([body(first)], first=first)
        spill.put(store.name, events, [scored_batch(1, first=first)])
    out = Outlet(store, Breaker(lambda: 0.0), spill)
    return out.drain(10, lambda *_: None, clock=lambda: 0.0)


@pytest.mark.parametrize(
    ("faults", "drained", "n_left"),
    [
        ([BUSY, None], 0, 1),
        ([None, BUSY, None], 1, 1),
        ([DOWN, DOWN, DOWN, None], 0, 1),
        ([DOWN, DOWN, None, DOWN, DOWN, None], 2, 0),
        ([DOWN, None, None], 2, 0),
    ],
    ids=["busy", "busy later", "down", "down in between", "one batch alone"],
)
def test_a_store_is_left_alone_when_it_is_busy_or_down_three_times_in_a_row(
    tmp_path: Path, faults: list[Exception | None], drained: int, n_left: int
) -> None:
    """One failure may be of its batch alone, and those behind it have their turn."""
    store = Store(*faults)
    assert drain(tmp_path, store, len(faults)) == drained
    assert len(store.faults) == n_left


def test_a_bug_is_raised_when_those_behind_it_had_their_turn(tmp_path: Path) -> None:
    """It neither counts as a failure of the store, nor ends a row of them."""
    store = Store(BUG, None, DOWN, BUG, DOWN, DOWN, None)
    with pytest.raises(TypeError, match="a bug"):
        drain(tmp_path, store, 7)
    assert store.faults == [None]
