"""Tests of scoring.outlets: a batch is written, spilled or held back."""

import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from scoring.background import in_background
from scoring.errors import SinkThrottledError, SpillFullError
from tests.moved_time import Clock
from tests.outlet_stores import BUSY, DOWN, SilentStore, Store, down, outlet, work


@pytest.fixture
def store() -> Store:
    """Return an empty store."""
    return Store()


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
    out = down(store, clock, tmp_path)
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
    out = down(store, clock, tmp_path)
    clock.now += 5
    store.fault = fault
    assert out.deliver(*work(first=3)).spilled == 3
    assert out.breaker.state() == state
    store.fault = None
    assert out.deliver(*work(first=6)).written == 3


def test_a_batch_does_not_wait_for_a_trial(store: Store, clock: Clock, tmp_path: Path) -> None:
    """A store that is silent stalls nobody while it is tried."""
    out = down(store, clock, tmp_path)
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


def test_a_batch_with_nothing_to_write_tells_nothing_of_the_store(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    """A store of anomalies is asked nothing by normal readings: down, it is not thought back."""
    out = down(store, clock, tmp_path)
    store.fault, store.unwanted = None, range(3)
    clock.now += 5
    assert out.deliver(*work(first=3)).written == 3
    assert (out.breaker.state(), store.tries) == ("open", 1)
    assert out.breaker.claim_trial()


def test_where_no_thread_can_begin_the_batch_is_spilled(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    """And the store is tried again later."""
    out = down(store, clock, tmp_path)

    def exhausted(_: object) -> None:
        raise RuntimeError("can't start new thread")

    clock.now += 5
    without = replace(out, beside=exhausted)
    assert without.deliver(*work(first=3)).spilled == 3
    store.fault = None
    clock.now += 10
    assert out.deliver(*work(first=6)).spilled == 3
    assert out.breaker.state() == "ok"
