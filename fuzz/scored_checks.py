"""What must hold of every scored batch, whatever the readings were."""

import json
import math
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from fuzz.findings import expect
from fuzz.line_reader import read_line, split_lines
from scoring.event_batch import EventBatch
from scoring.scored import ScoredBatch, cause_text
from scoring.sinks.cosmos_documents import Item, groups
from scoring.sinks.line_protocol import reading_lines, spans
from scoring.sinks.sqlite import open_scores
from scoring.spilled_batch import SpilledBatch

_FORBIDDEN_IN_ID = frozenset("/\\?#\t\r\n")
_LONGEST_ID = 1023
_DEEPEST = 128  # of a Cosmos DB document
_MOST_OPERATIONS, _LARGEST_BATCH = 100, 2_000_000


def check_lines(batches: Sequence[ScoredBatch]) -> None:
    """Hold each line, as a server reads it, against its reading; one line a reading."""
    written = reading_lines(batches)
    requests = ["\n".join(written[start:end]) for start, end in spans(written)]
    found = [line for request in requests for line in split_lines(request)]
    expect(len(found) == sum(map(len, batches)), f"{len(found)} lines for other readings")
    rows = ((batch, row) for batch in batches for row in range(len(batch)))
    for text, (batch, row) in zip(found, rows, strict=True):
        _check_line(text, batch, row)


def _check_line(text: str, batch: ScoredBatch, row: int) -> None:
    point = read_line(text)
    sensor = batch.sensor_ids[row]
    shown = f"{sensor} " if sensor.endswith("\\") else sensor
    expect(point.measurement == "anomaly_score", f"measurement {point.measurement!r}")
    expect(point.tags == {"sensor_id": shown, "model": batch.model}, f"tags of {text!r}")
    expect(point.fields == _fields(batch, row), f"fields of {text!r}")
    expect(point.time_ns == batch.event_time_ns[row], f"time of {text!r}")


def _fields(batch: ScoredBatch, row: int) -> dict[str, object]:
    fields: dict[str, object] = {
        "score": float(batch.score[row]),
        "model_version": batch.model_version,
    }
    if batch.anomaly_score is not None:
        fields["anomaly_score"] = float(batch.anomaly_score[row])
    if batch.is_anomaly is not None:
        fields["is_anomaly"] = bool(batch.is_anomaly[row])
    if row in batch.causes:
        fields["cause"] = cause_text(batch.causes[row])
    return fields


def check_documents(batches: Sequence[ScoredBatch], keys: Sequence[str]) -> None:
    """Hold documents and their batches against what Cosmos DB takes."""
    found = groups(batches, keys, only_anomalies=False)
    identities = {
        (batch.model, sensor, time)
        for batch in batches
        for sensor, time in zip(batch.sensor_ids, batch.event_time_ns.tolist(), strict=True)
    }
    expect(sum(len(group.items) for group in found) == len(identities), "documents are missing")
    for group in found:
        sizes = [_check_document(item, group.sensor_id) for item in group.items]
        expect(len(sizes) <= _MOST_OPERATIONS, "too many operations in a batch")
        expect(len(sizes) == 1 or sum(sizes) <= _LARGEST_BATCH, "too many bytes in a batch")


def _check_document(item: Item, sensor_id: str) -> int:
    document = item.document
    name = document["id"]
    expect(not _FORBIDDEN_IN_ID & set(name), f"id {name!r}")
    expect(len(name.encode()) <= _LONGEST_ID and not name.endswith(" "), f"id {name!r}")
    expect(document["sensor_id"] == sensor_id, "a document in the batch of another sensor")
    expect(_depth(document) <= _DEEPEST, "nested too deeply")
    return len(json.dumps(document, allow_nan=False, ensure_ascii=False).encode())


def _depth(value: object) -> int:
    inner = list(value.values()) if isinstance(value, dict) else value
    return 1 + max(map(_depth, inner), default=0) if isinstance(inner, list) else 0


def check_rows(path: Path, batches: Sequence[ScoredBatch]) -> None:
    """Hold the rows against what went in, of each identity the last; takes them away."""
    expected: dict[tuple[str, str, int], tuple[float, dict[str, float], int]] = {}
    for batch in batches:
        for row, sensor in enumerate(batch.sensor_ids):
            features = dict(zip(batch.features, batch.X[row].tolist(), strict=True))
            place = (batch.model, sensor, int(batch.event_time_ns[row]))
            expected[place] = (float(batch.score[row]), features, int(batch.indexes[row]))
    with closing(open_scores(path)) as connection:
        columns = "model, sensor_id, event_time, score, features, reading_index"
        found = {
            (row[0], row[1], row[2]): (row[3], json.loads(row[4]), row[5])
            for row in connection.execute(f"SELECT {columns} FROM scores")  # noqa: S608  # constant
        }
        connection.execute("DELETE FROM scores")
        connection.commit()
    expect(found == expected, "SQLite holds other rows than were written")


def check_spill(events: EventBatch, batches: Sequence[ScoredBatch]) -> None:
    """Hold what comes back from the spill against what was scored."""
    for batch in batches:
        encoded = msgspec.msgpack.encode(SpilledBatch.of(events, batch))
        back = msgspec.msgpack.decode(encoded, type=SpilledBatch).scored_batch()
        for name in ("sensor_ids", "event_time_ns", "X", "score", "indexes", "sequence_numbers"):
            expect(_same(getattr(back, name), getattr(batch, name)), f"{name} is another after it")
        expect(repr(back.payloads) == repr(batch.payloads), "payloads are others after it")
        expect(back.causes == batch.causes, "causes are others after it")


def _same(one: Any, other: Any) -> bool:
    return bool(np.array_equal(one, other)) if isinstance(one, np.ndarray) else one == other


def check_values(batches: Sequence[ScoredBatch]) -> None:
    """Check that numbers are finite and in range, and sensor ids such as every store takes."""
    for batch in batches:
        expect(np.isfinite(batch.score).all() and np.isfinite(batch.X).all(), "not finite")
        if batch.anomaly_score is not None:
            shares = batch.anomaly_score
            expect(((shares >= 0) & (shares <= 1)).all(), "an anomaly_score outside of [0, 1]")
        for cause in batch.causes.values():
            expect(all(math.isfinite(share.share) for share in cause), "a share that is not finite")
        for sensor in batch.sensor_ids:
            expect(0 < len(sensor) <= 256 and sensor.encode(), f"sensor {sensor!r}")  # noqa: PLR2004  # the contract's bound
