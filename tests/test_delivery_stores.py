"""Tests of scoring.delivery: what a store does not take is kept elsewhere."""

import pytest

from scoring.errors import SinkThrottledError, SinkUnavailableError, StorageUnavailableError
from scoring.json_nesting import MOST_NESTED
from scoring.ledger import StoreCounts
from tests.deliveries import ListSink, batch_for, with_sinks
from tests.deployments import Deployment
from tests.event_batches import body

pytest_plugins = ["tests.delivery_fixtures"]


def test_a_store_that_is_down_does_not_keep_the_batch(ready: Deployment) -> None:
    """It is spilled, accounted for, and written back when the store is there again."""
    sink = ListSink(errors=[SinkUnavailableError("list", "down", "start it")])
    delivery = with_sinks(ready, sink)
    counts = delivery.deliver(batch_for(ready, [body(0), body(1)]))
    assert (counts.scored, counts.stores["list"]) == (2, StoreCounts(0, 2, 0))
    assert (counts.unaccounted(), sink.written) == (0, [])
    assert delivery.drain_spill(10) == 2
    assert sum(map(len, sink.written)) == 2
    assert delivery.drain_spill(10) == 0


@pytest.mark.parametrize("levels", [490, 700, *range(980, 1_000)])
def test_a_reading_at_the_edge_of_depth_costs_none_of_its_neighbours(
    ready: Deployment, levels: int
) -> None:
    """Scored or too deep, it is so for the spill as well, which has less of the stack left."""
    sink = ListSink(errors=[SinkUnavailableError("list", "down", "start it")])
    delivery = with_sinks(ready, sink)
    tower = b"[" * (levels - 2) + b"]" * (levels - 2)
    deep, alone = (body(number, note="tower").replace(b'"tower"', tower) for number in (0, 7))
    bodies = [b"[%b,%b]" % (deep, body(1)), *(body(number) for number in range(2, 7)), alone]
    counts = delivery.deliver(batch_for(ready, bodies))
    n_deep = 2 * (levels > MOST_NESTED)
    assert counts.scored == 8 - n_deep
    assert counts.rejected == ({"too_deep": 2} if n_deep else {})
    assert delivery.drain_spill(10) == counts.scored
    assert [letter.reason for letter in ready.letters()] == ["too_deep"] * n_deep


def test_a_store_that_asks_for_patience_keeps_the_batch(ready: Deployment) -> None:
    """It raises, every event counts as held, and the same batch is stored later."""
    sink = ListSink(errors=[SinkThrottledError("list", "busy", "wait")])
    delivery = with_sinks(ready, sink)
    batch = batch_for(ready, [body(0), body(1)])
    with pytest.raises(SinkThrottledError):
        delivery.deliver(batch)
    assert delivery.ledger.totals()["held"] == 2
    assert delivery.deliver(batch).scored == 2


def test_one_store_being_down_does_not_keep_the_others_from_their_part(ready: Deployment) -> None:
    """Nor does one that asks for patience: writes are repeatable, so the next try does no harm."""
    down = ListSink("down", [SinkUnavailableError("down", "down", "start it")])
    busy = ListSink("busy", [SinkThrottledError("busy", "busy", "wait")])
    other = ListSink("other")
    with pytest.raises(SinkThrottledError):
        with_sinks(ready, busy, down, other).deliver(batch_for(ready, [body(0)]))
    assert sum(map(len, other.written)) == 1


def test_where_the_spill_is_unable_too_the_batch_is_kept(
    ready: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is dropped: the sink is down and storage does not answer."""
    delivery = with_sinks(
        ready, ListSink(errors=[SinkUnavailableError("list", "down", "wait")] * 2)
    )

    def away(*_: object, **__: object) -> None:
        raise StorageUnavailableError("spill", "x", "away")

    monkeypatch.setattr("scoring.storage.folder.FolderContainer.put", away)
    with pytest.raises(StorageUnavailableError):
        delivery.deliver(batch_for(ready, [body(0)]))
    assert delivery.ledger.totals()["held"] == 1


def test_a_reading_that_a_store_refuses_is_kept_and_its_neighbours_stored(
    ready: Deployment,
) -> None:
    """Trying again would never help it; the letter holds its own bytes and what the store said."""
    sink = ListSink()
    sink.refuses = [2]
    bodies = [body(0), b"[%b,%b]" % (body(1), body(2)), body(3)]
    counts = with_sinks(ready, sink).deliver(batch_for(ready, bodies, first=7))
    assert (counts.scored, counts.held, counts.unaccounted()) == (4, 0, 0)
    (letter,) = ready.letters()
    assert (letter.reason, letter.sequence_number, letter.index) == ("refused_by_store", 8, 1)
    assert (letter.raw_bytes(), letter.message) == (body(2), "too old")


def test_one_store_that_cannot_be_drained_does_not_hold_up_the_others(ready: Deployment) -> None:
    """Each has its turn; the run of the timer has failed all the same."""
    down = SinkUnavailableError("list", "down", "start it")
    first, second = ListSink(errors=[down, TypeError("a bug")]), ListSink("other", errors=[down])
    delivery = with_sinks(ready, first, second)
    delivery.deliver(batch_for(ready, [body(0)]))
    with pytest.raises(TypeError):
        delivery.drain_spill(10)
    assert sum(map(len, second.written)) == 1


def test_the_line_of_a_batch_says_what_became_of_it_at_each_store(
    ready: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    """Written, spilled, refused."""
    caplog.set_level("INFO")
    with_sinks(ready, ListSink()).deliver(batch_for(ready, [body(0)]))
    assert "; list: written=1 spilled=0 refused=0" in caplog.text
