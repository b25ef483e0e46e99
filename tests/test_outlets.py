"""One store: written, spilled or held back, whatever befalls it."""

import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scoring.breaker import Breaker
from scoring.errors import SinkThrottledError, SinkUnavailableError, SpillFullError
from scoring.event_batch import EventBatch
from scoring.events import Rejected
from scoring.outlets import Outlet, in_background
from scoring.scored import Refused, ScoredBatch
from scoring.spill import Spill
from scoring.storage import FolderStorage
from tests.event_batches import body, event_batch
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
        self.poison: int | None = None  # the batch that alone meets the fault, by its first number
        self.tries = 0

    def wanted(self, batch: ScoredBatch) -> ScoredBatch:
        """Return the readings that it keeps."""
        return batch.take([row for row in range(len(batch)) if row not in self.unwanted])

    def write(self, batches: Sequence[ScoredBatch]) -> Sequence[Refused]:
        """Keep the batches, or fail."""
        self.tries += 1
        is_poison = self.poison is None or batches[0].sequence_numbers[0] == self.poison
        if self.fault is not None and is_poison:
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


class Clock:
    """Monotonic seconds that are moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def store() -> Store:
    """Return an empty store."""
    return Store()


@pytest.fixture
def clock() -> Clock:
    """Return a clock at 0."""
    return Clock()


def outlet(store: Store, clock: Clock, folder: Path, max_mb: float = 10) -> Outlet:
    """Build an outlet with its spill in a folder."""
    spill = Spill(FolderStorage(folder).container("spill"), max_mb, lambda: datetime.now(UTC))
    return Outlet(store, Breaker(clock), spill, beside=lambda trial: trial())


def work(n: int = 3, first: int = 0) -> tuple[EventBatch, list[ScoredBatch]]:
    """Make a batch and its scores."""
    events = event_batch([body(number) for number in range(first, first + n)], first=first)
    return events, [scored_batch(n, first=first)]


def turned_away(_: EventBatch, rejected: Sequence[Rejected]) -> None:
    """Expect nothing."""
    raise AssertionError(rejected)


def test_a_store_that_is_up_is_written_to(store: Store, clock: Clock, tmp_path: Path) -> None:
    """Nothing is spilled, and what it refuses is told."""
    store.refuses = [1]
    delivered = outlet(store, clock, tmp_path).deliver(*work())
    assert (delivered.written, delivered.spilled, len(delivered.refused)) == (2, 0, 1)
    assert not list((tmp_path).rglob("*.msgpack"))


def test_an_outage_is_spilled_and_then_not_even_tried(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    """One batch finds out; those behind it go to the spill at once."""
    store.fault = DOWN
    out = outlet(store, clock, tmp_path)
    for first in (0, 3, 6):
        delivered = out.deliver(*work(first=first))
        assert (delivered.written, delivered.spilled) == (0, 3)
    assert store.tries == 1


@pytest.mark.parametrize("fault", [DOWN, OSError("a bug")], ids=["down", "a bug"])
def test_a_trial_that_fails_costs_the_batch_nothing(
    store: Store, clock: Clock, tmp_path: Path, fault: Exception
) -> None:
    """It is spilled like the others, and the store is left alone for longer."""
    store.fault = DOWN
    out = outlet(store, clock, tmp_path)
    out.deliver(*work())
    store.fault = fault
    for seconds, tries in ((5, 2), (5, 2), (5, 3)):
        clock.now += seconds
        assert out.deliver(*work(first=3)).spilled == 3
        assert store.tries == tries
    assert out.breaker.state() == "open"


@pytest.mark.parametrize(("fault", "state"), [(None, "ok"), (BUSY, "busy")])
def test_a_trial_that_is_answered_lets_the_next_batch_through(
    store: Store, clock: Clock, tmp_path: Path, fault: Exception | None, state: str
) -> None:
    """The one that tried is spilled as well; a store that asks for patience is there."""
    store.fault = DOWN
    out = outlet(store, clock, tmp_path)
    out.deliver(*work())
    clock.now += 5
    store.fault = fault
    assert out.deliver(*work(first=3)).spilled == 3
    assert out.breaker.state() == state
    store.fault = None
    assert out.deliver(*work(first=6)).written == 3


def test_a_batch_does_not_wait_for_a_trial(store: Store, clock: Clock, tmp_path: Path) -> None:
    """A store that is silent stalls nobody while it is tried."""
    store.fault = DOWN
    out = outlet(store, clock, tmp_path)
    out.deliver(*work())
    clock.now += 5
    silent = threading.Event()
    ended = threading.Event()
    out = replace(out, sink=SilentStore(silent, ended), beside=in_background)
    assert out.deliver(*work(first=3)).spilled == 3
    assert (out.breaker.state(), ended.is_set()) == ("trying", False)
    silent.set()
    assert ended.wait(10)


def test_only_what_a_store_keeps_waits_for_it(store: Store, clock: Clock, tmp_path: Path) -> None:
    """A store of anomalies fills the spill a hundred times as slowly as one of everything."""
    store.fault, store.unwanted = DOWN, [0, 2]
    out = outlet(store, clock, tmp_path)
    delivered = out.deliver(*work())
    assert (delivered.written, delivered.spilled) == (2, 1)
    ((_, spilled),) = out.spill.waiting("store")
    assert spilled.sequence_numbers == [1]
    store.unwanted = range(3)
    assert out.deliver(*work(first=3)).written == 3
    assert len(list(tmp_path.rglob("*.msgpack"))) == 1


def test_what_waits_is_written_back_in_order_and_once(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    """The oldest first; afterwards nothing is left."""
    store.fault = DOWN
    out = outlet(store, clock, tmp_path)
    for first in (0, 3, 6):
        out.deliver(*work(first=first))
    assert out.drain(10, turned_away) == 0
    store.fault = None
    assert out.drain(10, turned_away) == 9
    assert [batch.sequence_numbers[0] for batch in store.written] == [0, 3, 6]
    assert out.drain(10, turned_away) == 0


def test_a_drain_that_writes_lets_the_next_batch_through(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    """Where both are one process, nobody waits for the pause to end."""
    store.fault = DOWN
    out = outlet(store, clock, tmp_path)
    out.deliver(*work())
    store.fault = None
    assert out.drain(10, turned_away) == 3
    assert out.deliver(*work(first=3)).written == 3


def test_draining_ends_after_its_time_and_goes_on_later(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    """A long outage leaves more than one run can write."""
    store.fault = DOWN
    out = outlet(store, clock, tmp_path)
    for first in (0, 3, 6):
        out.deliver(*work(first=first))
    store.fault = None
    ticks = iter(range(100))
    assert out.drain(2, turned_away, clock=lambda: float(next(ticks))) == 3
    assert out.drain(10, turned_away) == 6


def test_what_is_refused_while_draining_is_turned_away_before_it_goes(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    """If that fails, the batch is still there."""
    store.fault = DOWN
    out = outlet(store, clock, tmp_path)
    out.deliver(*work())
    store.fault, store.refuses = None, [0]

    def fails(_: EventBatch, __: Sequence[Rejected]) -> None:
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011  # any will do
        out.drain(10, fails)
    found: list[bytes] = []
    assert out.drain(10, lambda _, rejected: found.extend(one.raw for one in rejected)) == 2
    assert found == [body(0)]


def test_a_store_that_asks_for_patience_is_waited_for(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    """Event Hubs is the buffer: the batch is kept, nothing is spilled, nothing opens."""
    store.fault = BUSY
    out = outlet(store, clock, tmp_path)
    for _ in range(3):
        with pytest.raises(SinkThrottledError):
            out.deliver(*work())
    assert (store.tries, out.breaker.state(), out.breaker.remedy()) == (3, "busy", "wait")
    assert not list(tmp_path.rglob("*.msgpack"))


def test_with_the_spill_full_the_batch_is_kept(store: Store, clock: Clock, tmp_path: Path) -> None:
    """Nothing is dropped to make room."""
    store.fault = DOWN
    with pytest.raises(SpillFullError):
        outlet(store, clock, tmp_path, max_mb=0).deliver(*work())


def test_a_bug_in_a_sink_does_not_leave_the_breaker_waiting(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    """It counts as a failure, and the next try is not blocked by it."""
    out = outlet(store, clock, tmp_path)
    store.fault = TypeError("a bug")
    with pytest.raises(TypeError):
        out.deliver(*work())
    clock.now += 5
    store.fault = None
    assert out.deliver(*work()).spilled == 3
    assert out.deliver(*work()).written == 3


@pytest.mark.parametrize("fault", [DOWN, BUSY, TypeError("a bug")], ids=["down", "busy", "bug"])
def test_each_write_that_fails_is_counted(
    store: Store, clock: Clock, tmp_path: Path, fault: Exception
) -> None:
    """Whatever failed; one that succeeds is not."""
    out = outlet(store, clock, tmp_path)
    out.deliver(*work())
    assert out.ledger.named() == {}
    store.fault = fault
    with suppress(SinkThrottledError, TypeError):
        out.deliver(*work())
    assert out.ledger.named() == {("failures", "store"): 1}


def test_a_spilled_batch_whose_readings_are_none_is_left(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    """What is behind it is written all the same."""
    store.fault = DOWN
    out = outlet(store, clock, tmp_path)
    for first in (0, 3):
        out.deliver(*work(first=first))
    file = min(tmp_path.rglob("*.msgpack"))
    file.write_bytes(file.read_bytes().replace(b'{"sensor_id"', b'["sensor_id"'))
    store.fault = None
    assert out.drain(10, turned_away) == 3
    assert file.exists()


def test_a_batch_with_nothing_to_write_tells_nothing_of_the_store(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    """A store of anomalies is asked nothing by normal readings: down, it is not thought back."""
    store.fault = DOWN
    out = outlet(store, clock, tmp_path)
    out.deliver(*work())
    store.fault, store.unwanted = None, range(3)
    clock.now += 5
    assert out.deliver(*work(first=3)).written == 3
    assert (out.breaker.state(), store.tries) == ("open", 1)
    assert out.breaker.claim_trial()


def test_where_no_thread_can_begin_the_batch_is_spilled(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    """And the store is tried again later."""
    store.fault = DOWN
    out = outlet(store, clock, tmp_path)
    out.deliver(*work())

    def exhausted(_: object) -> None:
        raise RuntimeError("can't start new thread")

    clock.now += 5
    without = replace(out, beside=exhausted)
    assert without.deliver(*work(first=3)).spilled == 3
    store.fault = None
    clock.now += 10
    assert out.deliver(*work(first=6)).spilled == 3
    assert out.breaker.state() == "ok"


@pytest.mark.parametrize("fault", [DOWN, TypeError("a bug")], ids=["down", "a bug"])
def test_a_batch_that_a_store_cannot_take_holds_up_none_behind_it(
    store: Store, clock: Clock, tmp_path: Path, fault: Exception
) -> None:
    """It stays; a bug fails the run of the timer, when the others had their turn."""
    store.fault = DOWN
    out = outlet(store, clock, tmp_path)
    for first in (0, 3, 6):
        out.deliver(*work(first=first))
    store.fault, store.poison = fault, 0
    with suppress(TypeError):
        assert out.drain(10, turned_away) == 6
    assert [batch.sequence_numbers[0] for batch in store.written] == [3, 6]
    assert [spilled.sequence_numbers[0] for _, spilled in out.spill.waiting("store")] == [0]


def test_a_store_that_is_down_is_not_asked_for_every_batch_that_waits(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    """Three in a row are enough for one run."""
    store.fault = DOWN
    out = outlet(store, clock, tmp_path)
    for first in range(0, 15, 3):
        out.deliver(*work(first=first))
    tries = store.tries
    assert out.drain(10, turned_away) == 0
    assert store.tries == tries + 3
