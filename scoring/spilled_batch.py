"""One scored batch as it lies in storage while its store is down."""

from collections.abc import Sequence, Sized
from typing import Any

import msgspec
import numpy as np

from scoring.attribution import Share
from scoring.errors import ReadingRejectedError
from scoring.event_batch import EventBatch, Int64
from scoring.events import Rejected
from scoring.json_bodies import TOO_DEEP, documents, raw_readings
from scoring.scored import REFUSED_BY_STORE, Refused, ScoredBatch


class SpilledBatch(msgspec.Struct, frozen=True, kw_only=True):
    """One `ScoredBatch` for one sink, as it lies in storage; columns as in `ScoredBatch`."""

    hub: str
    partition: str
    model: str
    model_version: str
    features: tuple[str, ...]
    sensor_ids: list[str]
    event_time_ns: list[Int64]
    enqueued_ns: list[Int64]
    X: list[list[float]]
    filled: list[Int64]
    score: list[float]
    anomaly_score: list[float] | None
    is_anomaly: list[bool] | None
    causes: dict[int, list[tuple[str, float]]]
    sequence_numbers: list[Int64]
    indexes: list[Int64]
    raws: list[bytes]
    partition_keys: list[str | None]
    device_ids: list[str | None]

    def __post_init__(self) -> None:
        """Refuse columns that do not belong together; decoding then raises `ValidationError`."""
        columns: list[Sized | None] = [self.event_time_ns, self.enqueued_ns, self.X, self.filled]
        columns += [self.score, self.anomaly_score, self.is_anomaly, self.sequence_numbers]
        columns += [self.indexes, self.raws, self.partition_keys, self.device_ids]
        n = len(self.sensor_ids)
        if any(column is not None and len(column) != n for column in columns):
            raise ValueError("its columns differ in length")
        if not n or any(not 0 <= row < n for row in self.causes):
            raise ValueError("it holds no readings, or causes of others")

    @classmethod
    def of(cls, events: EventBatch, scored: ScoredBatch) -> "SpilledBatch":
        """Take all that is needed to write it later, and to turn single readings away."""
        places = {number: event for event, number in enumerate(events.sequence_numbers)}
        rows = [places[number] for number in scored.sequence_numbers.tolist()]
        indexes = scored.indexes.tolist()
        return cls(
            hub=events.hub,
            partition=events.partition,
            model=scored.model,
            model_version=scored.model_version,
            features=scored.features,
            sensor_ids=scored.sensor_ids,
            event_time_ns=scored.event_time_ns.tolist(),
            enqueued_ns=[events.enqueued_ns[event] for event in rows],
            X=scored.X.tolist(),
            filled=scored.filled.tolist(),
            score=scored.score.tolist(),
            anomaly_score=None if scored.anomaly_score is None else scored.anomaly_score.tolist(),
            is_anomaly=None if scored.is_anomaly is None else scored.is_anomaly.tolist(),
            causes={
                row: [(share.feature, share.share) for share in cause]
                for row, cause in scored.causes.items()
            },
            sequence_numbers=scored.sequence_numbers.tolist(),
            indexes=indexes,
            raws=raw_readings(
                (events.bodies[event], index - events.first_index(event))
                for event, index in zip(rows, indexes, strict=True)
            ),
            partition_keys=[events.partition_keys[event] for event in rows],
            device_ids=[events.device_ids[event] for event in rows],
        )

    def scored_batch(self) -> ScoredBatch:
        """Return the batch as it was scored.

        Raises
        ------
        ReadingRejectedError, ValueError
            If the file was damaged.
        """
        shape = (len(self.sensor_ids), len(self.features))
        return ScoredBatch(
            model=self.model,
            model_version=self.model_version,
            features=self.features,
            sensor_ids=self.sensor_ids,
            event_time_ns=np.array(self.event_time_ns, np.int64),
            X=np.array(self.X, np.float64).reshape(shape),
            filled=np.array(self.filled, np.int64),
            score=np.array(self.score, np.float64),
            anomaly_score=None if self.anomaly_score is None else np.array(self.anomaly_score),
            is_anomaly=None if self.is_anomaly is None else np.array(self.is_anomaly, np.bool_),
            causes={
                row: tuple(Share(feature, share) for feature, share in cause)
                for row, cause in self.causes.items()
            },
            payloads=[_payload(raw) for raw in self.raws],
            partition=self.partition,
            sequence_numbers=np.array(self.sequence_numbers, np.int64),
            indexes=np.array(self.indexes, np.int64),
        )

    def rejected(self, refused: Sequence[Refused]) -> list[Rejected]:
        """Turn away what a store refuses; each reading is an event of `events`.

        The store may have been given some of the readings alone, so a row of what it refuses is
        none of this file: a reading is told by its sequence number and its index.
        """
        places = {
            place: row
            for row, place in enumerate(zip(self.sequence_numbers, self.indexes, strict=True))
        }
        rows = [places[_place(one)] for one in refused]
        return [
            Rejected(row, self.indexes[row], self.raws[row], REFUSED_BY_STORE, one.message)
            for row, one in zip(rows, refused, strict=True)
        ]

    def events(self) -> EventBatch:
        """Return the readings as events of their own, for those that a store refuses."""
        return EventBatch(
            hub=self.hub,
            partition=self.partition,
            bodies=self.raws,
            sequence_numbers=self.sequence_numbers,
            enqueued_ns=self.enqueued_ns,
            partition_keys=self.partition_keys,
            device_ids=self.device_ids,
        )


def _place(one: Refused) -> tuple[int, int]:
    return int(one.batch.sequence_numbers[one.row]), int(one.batch.indexes[one.row])


def _payload(raw: bytes) -> dict[str, Any]:
    """Read a reading again. Where other versions went deeper it may be too deep here.

    Its features are columns already; what is lost is what it held besides.
    """
    try:
        return next(documents(raw)).payload()
    except ReadingRejectedError as error:
        if error.reason == TOO_DEEP:
            return {}
        raise
