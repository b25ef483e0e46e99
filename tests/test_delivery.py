"""Tests of scoring.delivery: nothing lost, whatever fails."""

from unittest.mock import Mock

import pytest

from scoring.errors import ModelUnavailableError, SinkThrottledError, StorageUnavailableError
from scoring.ledger import StoreCounts
from tests.broken_models import a_bug, with_model
from tests.deliveries import BODIES, ListSink, batch_for, with_sinks
from tests.deployments import Deployment
from tests.event_batches import body, event_batch
from tests.small_models import publish, small_model

pytest_plugins = ["tests.delivery_fixtures"]


def test_a_bug_in_scoring_sends_the_raw_events_to_the_dead_letters(ready: Deployment) -> None:
    """Every event is kept whole with reason `internal`, and the partition goes on."""
    delivery = ready.app.delivery
    with_model(delivery, a_bug)
    counts = delivery.deliver(batch_for(ready, BODIES))
    assert [letter.raw_bytes() for letter in ready.letters()] == BODIES
    assert {(letter.reason, letter.message) for letter in ready.letters()} == {
        ("internal", "TypeError: a bug")
    }
    assert (counts.received, dict(counts.rejected), counts.unaccounted()) == (4, {"internal": 4}, 0)


def test_the_batch_after_a_bug_is_scored(ready: Deployment) -> None:
    """A bug that one batch meets costs only this one."""
    delivery = ready.app.delivery
    good = delivery.cache.snapshot()
    with_model(delivery, a_bug)
    delivery.deliver(batch_for(ready, [body(0)]))
    delivery.cache._snapshot = good
    assert delivery.deliver(batch_for(ready, [body(1)], first=1)).scored == 1
    assert [row["sequence_number"] for row in ready.rows()] == [1]


def test_a_bug_in_a_sink_sends_the_raw_events_to_the_dead_letters(ready: Deployment) -> None:
    """The next batch waits in the spill, and is stored like any other."""
    sink = ListSink(errors=[TypeError("a bug")])
    delivery = with_sinks(ready, sink)
    counts = delivery.deliver(batch_for(ready, [body(0)]))
    assert dict(counts.rejected) == {"internal": 1}
    assert [letter.raw_bytes() for letter in ready.letters()] == [body(0)]
    assert delivery.deliver(batch_for(ready, [body(1)], first=1)).scored == 1
    assert delivery.drain_spill(10) == 1
    assert sum(map(len, sink.written)) == 1


def test_an_event_whose_first_reading_was_rejected_is_kept_whole_besides(ready: Deployment) -> None:
    """Its other readings stand only in the whole event."""
    event = b"[1,%b]" % body(1)
    with_sinks(ready, ListSink(errors=[TypeError("a bug")])).deliver(batch_for(ready, [event]))
    kept = {letter.reason: letter.raw_bytes() for letter in ready.letters()}
    assert kept == {"not_an_object": b"1", "internal": event}


def test_dead_letters_that_cannot_be_written_keep_the_batch(
    ready: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rejected reading is never let go, and nothing is scored that comes again anyway."""
    delivery = with_sinks(ready, sink := ListSink())
    batch = batch_for(ready, [body(0), b"not JSON"])
    with monkeypatch.context() as patch:
        full = StorageUnavailableError("dead-letter", "", "No space left on device")

        def refuse(*_: object, **__: object) -> None:
            raise full

        patch.setattr("scoring.storage.folder.FolderContainer.put", refuse)
        with pytest.raises(StorageUnavailableError):
            delivery.deliver(batch)
    assert sink.written == []
    assert delivery.deliver(batch).scored == 1
    assert len(ready.letters()) == 1


def test_without_a_model_the_batch_is_kept_until_there_is_one(empty: Deployment) -> None:
    """The same batch is scored after the first publication."""
    delivery = empty.app.delivery
    batch = batch_for(empty, [body(0), b"not JSON"])
    with pytest.raises(ModelUnavailableError, match="python -m training publish"):
        delivery.deliver(batch)
    assert empty.letters() == []
    publish(empty.models, small_model())
    delivery.cache.refresh()
    counts = delivery.deliver(batch)
    assert (counts.scored, counts.received) == (1, 2)


def test_a_batch_delivered_again_adds_nothing(ready: Deployment) -> None:
    """Neither a row nor a dead letter."""
    batch = batch_for(ready, BODIES)
    ready.app.delivery.deliver(batch)
    rows, letters = ready.rows(), ready.letters()
    ready.app.delivery.deliver(batch)
    assert ready.rows() == rows
    assert ready.letters() == letters


def test_received_is_scored_rejected_or_held_whatever_happened(ready: Deployment) -> None:
    """Over good batches, bad ones, a store that asked for patience and a bug."""
    errors = [SinkThrottledError("list", "busy", "wait"), TypeError("a bug")]
    delivery = with_sinks(ready, ListSink(errors=errors))
    with pytest.raises(SinkThrottledError):
        delivery.deliver(batch_for(ready, BODIES))
    delivery.deliver(batch_for(ready, BODIES))
    delivery.deliver(batch_for(ready, BODIES))
    totals, rejected = delivery.ledger.totals(), delivery.ledger.rejected()
    assert totals["received"] == totals["scored"] + sum(rejected.values()) + totals["held"]
    assert totals["unaccounted"] == 0
    assert rejected == {"internal": 4, "invalid_json": 1, "not_utf8": 1}


def test_a_bug_while_events_are_turned_away_holds_the_batch_and_counts_it(
    ready: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is let go that was not kept, and what came again stands in the ledger."""
    delivery = ready.app.delivery
    monkeypatch.setattr("scoring.delivery.whole_events", Mock(side_effect=IndexError("a bug")))
    with_model(delivery, a_bug)
    with pytest.raises(IndexError):
        delivery.deliver(batch_for(ready, [body(0), body(1)]))
    totals = delivery.ledger.totals()
    assert (totals["received"], totals["held"], totals["unaccounted"]) == (2, 2, 0)


def test_different_readings_of_one_identity_are_counted_and_warned_about(
    ready: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    """Clocks too coarse: the store keeps the last one, and the log says what helps."""
    bodies = [body(1), body(2, timestamp=0), body(3, timestamp=0)]
    counts = ready.app.delivery.deliver(batch_for(ready, bodies))
    assert (counts.collided, counts.scored, len(ready.rows())) == (1, 3, 2)
    assert "TIME_TIE_BREAK=sequence" in caplog.text


def test_a_batch_logs_one_line_and_one_for_each_kind_of_problem(
    ready: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing for a reading: a log grows with batches, not with events."""
    delivery = ready.app.delivery
    delivery.cache.refresh()
    caplog.set_level("INFO")
    caplog.clear()
    delivery.deliver(batch_for(ready, [b"x"] * 50 + [b""] * 50 + [body(0)]))
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 3
    assert "received=101 scored=1 rejected=100 held=0" in lines[0]
    assert sorted(lines[1:]) == [
        "rejected 50 readings: empty_body",
        "rejected 50 readings: invalid_json",
    ]


def test_anomalies_are_counted(ready: Deployment) -> None:
    """As the stored rows say."""
    bodies = [body(0), body(1, temperature=90, vibration=9, pressure=90)]
    counts = ready.app.delivery.deliver(batch_for(ready, bodies))
    assert counts.anomalies == 1
    assert [row["is_anomaly"] for row in ready.rows()] == [0, 1]


def test_a_key_that_no_text_can_hold_does_not_block_the_partition(ready: Deployment) -> None:
    """Half a surrogate pair in a partition key is written out, and the letter kept."""
    batch = event_batch([b"{}"], hub=ready.hub, partition_key="pump-\ud800")
    ready.app.delivery.deliver(batch)
    (letter,) = ready.letters()
    assert letter.partition_key == "pump-\\ud800"


def test_a_fault_in_accounting_does_not_bring_the_batch_again(
    ready: Deployment, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Everything is stored by then; the log says what went wrong."""
    monkeypatch.setattr("scoring.delivery.model_statuses", lambda *_: 1 / 0)
    assert ready.app.delivery.deliver(batch_for(ready, [body(0)])).scored == 1
    assert "not accounted for" in caplog.text


def test_a_fault_while_counting_does_not_bring_the_batch_again(
    ready: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All is stored by then; what can be counted is."""
    sink = ListSink()
    delivery = with_sinks(ready, sink)
    monkeypatch.setattr(delivery.collisions, "count", Mock(side_effect=IndexError("a bug")))
    counts = delivery.deliver(batch_for(ready, [body(0), b"{oops"]))
    assert (counts.received, counts.scored, dict(counts.rejected)) == (2, 1, {"invalid_json": 1})
    assert (counts.stores["list"], counts.unaccounted()) == (StoreCounts(1, 0, 0), 0)
    assert sum(map(len, sink.written)) == 1
