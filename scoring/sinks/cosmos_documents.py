"""Writes scored readings as Cosmos DB documents, in batches that the service takes."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from scoring.events import TIME_KEYS
from scoring.features import FloatArray
from scoring.scored import ScoredBatch, cause_document

IntArray = npt.NDArray[np.int64]
# Limits of a transactional batch; of its 2 MB a part is left for what surrounds the documents.
MAX_OPERATIONS = 100
MAX_BATCH_BYTES = 1_900_000
# Around each document: {"operationType":"Upsert","resourceBody":},
_OPERATION_BYTES = 48
# Cosmos DB takes 128 levels; what nests deeper than this is no note that someone reads again.
_DEEPEST = 32
# Beyond it JSON's numbers lose digits in Cosmos DB, as in JavaScript.
_LARGEST_INTEGER = 2**53
# As dialects of JSON write them, and as they arrived.
_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


@dataclass(frozen=True, slots=True)
class Item:
    """One scored reading and its document.

    Parameters
    ----------
    batch : ScoredBatch
    row : int
        Its place in the batch.
    document : dict
        Plain Python values; nothing that JSON has no form for.
    """

    batch: ScoredBatch
    row: int
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Group:
    """What one transactional batch holds: up to `MAX_OPERATIONS` documents of one sensor."""

    sensor_id: str
    items: Sequence[Item]


def groups(
    batches: Sequence[ScoredBatch], sensor_id_keys: Sequence[str], *, only_anomalies: bool
) -> list[Group]:
    """Group the documents to write by sensor, cut to the limits of a transactional batch.

    Readings that share an identity become one document, that of the last.

    Parameters
    ----------
    batches : sequence of ScoredBatch
    sensor_id_keys : sequence of str
        Which keys of a reading hold its sensor id; the first present is not kept as `extra`.
    only_anomalies : bool
        Leave out what is no anomaly, and what nothing decided about.
    """
    by_sensor: dict[str, dict[str, Item]] = {}
    for batch in batches:
        for item in _items(batch, sensor_id_keys, only_anomalies=only_anomalies):
            document = item.document
            by_sensor.setdefault(document["sensor_id"], {})[document["id"]] = item
    return [
        Group(sensor_id, items)
        for sensor_id, found in by_sensor.items()
        for items in _cut(list(found.values()))
    ]


def _cut(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    start, size = 0, 0
    for place, item in enumerate(items):
        added = len(msgspec.json.encode(item.document)) + _OPERATION_BYTES
        full = place - start == MAX_OPERATIONS or size + added > MAX_BATCH_BYTES
        if full and place > start:
            yield items[start:place]
            start, size = place, 0
        size += added
    yield items[start:]


def _items(
    batch: ScoredBatch, sensor_id_keys: Sequence[str], *, only_anomalies: bool
) -> Iterator[Item]:
    rows = anomalous_rows(batch) if only_anomalies else np.arange(len(batch))
    if not len(rows):
        return
    features = frozenset(batch.features)
    names = [_text(name) for name in batch.features]
    for row, measured in zip(rows.tolist(), _columns(batch, rows), strict=True):
        time_ns = int(batch.event_time_ns[row])
        document = {
            "id": f"{batch.model}|{time_ns}",
            "sensor_id": batch.sensor_ids[row],
            "event_time_ns": str(time_ns),
            "model": batch.model,
            "model_version": batch.model_version,
            **measured,
            "cause": cause_document(batch.causes.get(row)),
            "features": dict(zip(names, _numbers(batch.X[row]), strict=True)),
            "extra": extra(batch.payloads[row], sensor_id_keys, features),
        }
        yield Item(batch, row, document)


def anomalous_rows(batch: ScoredBatch) -> IntArray:
    """Return the rows that are anomalies; none where nothing decides."""
    return np.flatnonzero(batch.is_anomaly) if batch.is_anomaly is not None else np.arange(0)


def _columns(batch: ScoredBatch, rows: IntArray) -> Iterator[dict[str, Any]]:
    """Yield the fields of each row that come from arrays, as plain Python values."""
    nothing = [None] * len(rows)
    times = np.datetime_as_string(batch.event_time_ns[rows].astype("datetime64[ns]"), unit="ns")
    columns: dict[str, Sequence[Any]] = {
        "event_time": [f"{time}Z" for time in times.tolist()],
        "score": _numbers(batch.score[rows]),
        "anomaly_score": nothing
        if batch.anomaly_score is None
        else _numbers(batch.anomaly_score[rows]),
        "is_anomaly": nothing if batch.is_anomaly is None else batch.is_anomaly[rows].tolist(),
        "filled": batch.filled[rows].tolist(),
    }
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def extra(
    payload: Mapping[str, Any], sensor_id_keys: Sequence[str], features: frozenset[str]
) -> dict[str, Any]:
    """Return what a reading holds besides its id, its time and the model's features.

    What JSON or Cosmos DB cannot hold becomes text: numbers that are not finite, integers
    beyond 2^53, half a surrogate pair. What nests too deeply becomes null.
    """
    spent = {_first(sensor_id_keys, payload), _first(TIME_KEYS, payload)}
    inner = payload.get("features")
    if type(inner) is dict:  # then features stand there, and what is left of it is extra too
        left = {key: value for key, value in payload.items() if key not in spent}
        left["features"] = {key: value for key, value in inner.items() if key not in features}
        if not left["features"]:
            del left["features"]
    else:
        spent |= features
        left = {key: value for key, value in payload.items() if key not in spent}
    return {_text(key): _storable(value, 1) for key, value in left.items()}


def _first(keys: Sequence[str], payload: Mapping[str, Any]) -> str | None:
    return next((key for key in keys if key in payload), None)


def _storable(value: Any, depth: int) -> Any:
    if isinstance(value, dict | list):
        return _storable_inside(value, depth) if depth < _DEEPEST else None
    if isinstance(value, str):
        return _text(value)
    if type(value) is int and abs(value) > _LARGEST_INTEGER:
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return _NOT_FINITE[str(value)]
    return value


def _storable_inside(value: dict[str, Any] | list[Any], depth: int) -> Any:
    if isinstance(value, dict):
        return {_text(key): _storable(inner, depth + 1) for key, inner in value.items()}
    return [_storable(inner, depth + 1) for inner in value]


def _text(value: str) -> str:
    """Write half a surrogate pair, which UTF-8 cannot hold, as its escape."""
    return value.encode(errors="backslashreplace").decode()


def _numbers(values: FloatArray) -> list[float | None]:
    """Return plain floats; null where JSON has no form, which a finite score never is."""
    return [value if math.isfinite(value) else None for value in values.tolist()]
