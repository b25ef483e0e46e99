"""Tests of scoring.scored: scored readings as documents."""

import json

import msgspec
import numpy as np

from scoring.attribution import Share
from scoring.scored import cause_text, scored_documents
from tests.scored_batches import scored_batch


def test_a_cause_is_written_in_whole_percent() -> None:
    """The largest share first, as it comes."""
    cause = (Share("vibration_rms", 0.714), Share("temperature", 0.286))
    assert cause_text(cause) == "vibration_rms 71%, temperature 29%"


def test_a_document_holds_the_whole_result_of_a_reading() -> None:
    """In full precision, and as plain JSON."""
    batch = scored_batch(2, score=np.array([0.1 + 0.2, -1e-17]))
    first, second = json.loads(msgspec.json.encode(scored_documents(batch)))
    assert first == {
        "index": 0,
        "sensor_id": "pump-1",
        "event_time": "2026-05-01T12:00:00.123Z",
        "model": "default",
        "model_version": "v1",
        "score": 0.1 + 0.2,
        "anomaly_score": 0.5,
        "is_anomaly": True,
        "cause": [
            {"feature": "vibration", "share": 0.75},
            {"feature": "temperature", "share": 0.25},
        ],
    }
    assert (second["score"], second["is_anomaly"], second["cause"]) == (-1e-17, False, None)


def test_what_is_not_known_is_null() -> None:
    """Without calibration and threshold there is a score alone."""
    batch = scored_batch(1, anomaly_score=None, is_anomaly=None, causes={})
    (document,) = scored_documents(batch)
    assert (document["anomaly_score"], document["is_anomaly"], document["cause"]) == (None,) * 3


def test_some_readings_are_taken_with_all_that_belongs_to_them() -> None:
    """Every column, and the causes under their new places."""
    batch = scored_batch(4, payloads=[{"n": n} for n in range(4)])
    taken = batch.take([2, 0])
    assert [payload["n"] for payload in taken.payloads] == [2, 0]
    assert taken.causes == {1: batch.causes[0]}
    for name in ("event_time_ns", "X", "filled", "score", "anomaly_score", "is_anomaly"):
        column, whole = getattr(taken, name), getattr(batch, name)
        assert column.dtype == whole.dtype
        assert column.tolist() == whole[[2, 0]].tolist()
    assert (taken.sequence_numbers.tolist(), len(taken), len(taken.indexes)) == ([2, 0], 2, 2)
    assert len(batch.take([])) == 0
