"""Scored readings as columns: what the pipeline hands to the sinks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from scoring.attribution import Cause
from scoring.event_time import iso_time
from scoring.features import FloatArray
from scoring.thresholds import BoolArray


@dataclass(frozen=True, slots=True)
class ScoredBatch:
    """The readings of one batch that one model scored; one entry a reading.

    Parameters
    ----------
    model, model_version : str
        The model that made every row.
    features : tuple of str
        Names of the columns of `X`.
    sensor_ids : list of str
    event_time_ns : ndarray of shape (n_readings,), int64
        Nanoseconds since 1970, UTC.
    X : ndarray of shape (n_readings, n_features), float64
    filled : ndarray of shape (n_readings,), int64
        How many features took the training median.
    score : ndarray of shape (n_readings,), float64
        The estimator's own value; finite.
    anomaly_score : ndarray of shape (n_readings,), float64, or None
        In [0, 1], higher is more anomalous; None without calibration.
    is_anomaly : ndarray of shape (n_readings,), bool, or None
        None where no threshold decides.
    causes : mapping of int to tuple of Share
        By row, for anomalies that were explained.
    payloads : list of mapping
        What the readings held besides.
    partition : str
    sequence_numbers, indexes : ndarray of shape (n_readings,), int64
        Where each reading came from.
    """

    model: str
    model_version: str
    features: tuple[str, ...]
    sensor_ids: list[str]
    event_time_ns: npt.NDArray[np.int64]
    X: FloatArray
    filled: npt.NDArray[np.int64]
    score: FloatArray
    anomaly_score: FloatArray | None
    is_anomaly: BoolArray | None
    causes: Mapping[int, Cause]
    payloads: list[dict[str, Any]]
    partition: str
    sequence_numbers: npt.NDArray[np.int64]
    indexes: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.sensor_ids)

    def take(self, rows: Sequence[int]) -> "ScoredBatch":
        """Return some of its readings, in the order of `rows`."""
        places = {row: place for place, row in enumerate(rows)}
        return replace(
            self,
            sensor_ids=[self.sensor_ids[row] for row in rows],
            event_time_ns=self.event_time_ns[rows],
            X=self.X[rows],
            filled=self.filled[rows],
            score=self.score[rows],
            anomaly_score=None if self.anomaly_score is None else self.anomaly_score[rows],
            is_anomaly=None if self.is_anomaly is None else self.is_anomaly[rows],
            causes={places[row]: cause for row, cause in self.causes.items() if row in places},
            payloads=[self.payloads[row] for row in rows],
            sequence_numbers=self.sequence_numbers[rows],
            indexes=self.indexes[rows],
        )


# The reason under which a refused reading is a dead letter.
REFUSED_BY_STORE = "refused_by_store"


@dataclass(frozen=True, slots=True)
class Refused:
    """One scored reading that a store will never take, and what it said.

    Parameters
    ----------
    batch : ScoredBatch
    row : int
        Its place in the batch.
    message : str
    """

    batch: ScoredBatch
    row: int
    message: str


class Sink(Protocol):
    """A store for scored readings.

    Delivery: `write` is called once a batch and may be called again with the same readings, in
    any order and from any thread. A store keeps one result an identity (model, sensor id, event
    time), the one written last, so writing again adds nothing. When `write` returns, everything
    is stored but the readings that it returns, which the store refuses for ever: the caller puts
    them into the dead letters. When it raises `SinkUnavailableError`, any part may be stored, and
    the caller keeps the batch.
    """

    @property
    def name(self) -> str:
        """Short name for logs, counts and health."""

    def wanted(self, batch: ScoredBatch) -> ScoredBatch:
        """Return the readings that this store keeps; a store may keep anomalies alone."""

    def write(self, batches: Sequence[ScoredBatch]) -> Sequence[Refused]:
        """Store every reading that it keeps; returns those that are refused."""


def cause_text(cause: Cause) -> str:
    """Write a cause for people: the shares in whole percent."""
    return ", ".join(f"{share.feature} {share.share:.0%}" for share in cause)


def scored_documents(scored: ScoredBatch) -> list[dict[str, Any]]:
    """Write scored readings as JSON objects, for HTTP; nulls stay in."""
    n = len(scored)
    nothing = [None] * n
    anomaly_scores = nothing if scored.anomaly_score is None else scored.anomaly_score.tolist()
    decisions = nothing if scored.is_anomaly is None else scored.is_anomaly.tolist()
    return [
        {
            "index": index,
            "sensor_id": sensor_id,
            "event_time": iso_time(time_ns),
            "model": scored.model,
            "model_version": scored.model_version,
            "score": score,
            "anomaly_score": anomaly_score,
            "is_anomaly": decision,
            "cause": cause_document(scored.causes.get(row)),
        }
        for row, (index, sensor_id, time_ns, score, anomaly_score, decision) in enumerate(
            zip(
                scored.indexes.tolist(),
                scored.sensor_ids,
                scored.event_time_ns.tolist(),
                scored.score.tolist(),
                anomaly_scores,
                decisions,
                strict=True,
            )
        )
    ]


def cause_document(cause: Cause | None) -> list[dict[str, Any]] | None:
    """Write a cause as JSON, the largest share first."""
    if cause is None:
        return None
    return [{"feature": share.feature, "share": share.share} for share in cause]
