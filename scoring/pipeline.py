"""Scores one batch: decode, route, build the matrix, score, decide, explain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from scoring.artifacts import LoadedModel
from scoring.attribution import Cause, causes, worst_rows
from scoring.cache import Snapshot
from scoring.errors import ReadingRejectedError
from scoring.event_batch import EventBatch
from scoring.events import ReadingKeys, Readings, Rejected, read_events
from scoring.features import FeatureMatrix, FloatArray, feature_matrix
from scoring.routing import Routes
from scoring.scored import ScoredBatch
from scoring.scorer import anomalousness
from scoring.thresholds import BoolArray, anomaly_scores, is_anomaly

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Policy:
    """How readings are read and explained; the same for every batch of a process."""

    keys: ReadingKeys
    routes: Routes
    missing_features: Literal["reject", "median"] = "reject"
    attribution_max_readings: int = 50


@dataclass(frozen=True, slots=True)
class Outcome:
    """Every reading of a batch, scored or rejected.

    Parameters
    ----------
    received : int
        Readings found in the bodies; a body that cannot be read counts as one.
    scored : list of ScoredBatch
        One for each model that scored any.
    rejected : list of Rejected
    """

    received: int
    scored: list[ScoredBatch]
    rejected: list[Rejected]


def score_batch(batch: EventBatch, snapshot: Snapshot, policy: Policy) -> Outcome:
    """Score every reading of a batch that can be scored, and reject every other.

    Parameters
    ----------
    batch : EventBatch
    snapshot : Snapshot
        The models; taken once, so that a batch never mixes versions.
    policy : Policy

    Raises
    ------
    ModelUnavailableError
        If a model that readings are routed to is not ready.
    """
    readings, rejected = read_events(batch, policy.keys)
    received = len(readings) + len(rejected)
    scored: list[ScoredBatch] = []
    for name, rows in policy.routes.by_model(readings.sensor_ids).items():
        if name is None:
            rejected += [_no_route(readings, row) for row in rows]
        elif rows:
            with np.errstate(all="ignore"):  # overflow shows as a refusal, or a score not finite
                one, turned_away = _score_rows(batch, readings, rows, snapshot.get(name), policy)
            rejected += turned_away
            if len(one):
                scored.append(one)
    return Outcome(received, scored, sorted(rejected, key=lambda one: (one.event, one.index)))


def _no_route(readings: Readings, row: int) -> Rejected:
    message = f"no pattern of MODEL_ROUTES matches sensor {readings.sensor_ids[row]!r}"
    return readings.reject(row, ReadingRejectedError("no_route", message))


def _score_rows(
    batch: EventBatch, readings: Readings, rows: Sequence[int], model: LoadedModel, policy: Policy
) -> tuple[ScoredBatch, list[Rejected]]:
    """Score the readings that are routed to one model."""
    all_rows = np.asarray(rows, np.int64)
    payloads = _pick(readings.payloads, all_rows)
    matrix = feature_matrix(payloads, model.features, _fill(model, policy))
    rejected = [readings.reject(rows[position], error) for position, error in matrix.rejected]
    score, failed = _score(model, matrix.X)
    rejected += [
        readings.reject(int(all_rows[matrix.kept[position]]), error) for position, error in failed
    ]
    if failed:
        matrix, score = _without(matrix, score, [position for position, _ in failed])
    kept = all_rows[matrix.kept]
    return _scored_batch(batch, readings, kept, matrix, score, model, policy), rejected


def _fill(model: LoadedModel, policy: Policy) -> FloatArray | None:
    return model.medians if policy.missing_features == "median" else None


def _score(
    model: LoadedModel, X: FloatArray
) -> tuple[FloatArray, list[tuple[int, ReadingRejectedError]]]:
    """Score rows; those that the estimator cannot take are told apart from their neighbours."""
    if not len(X):
        return np.empty(0), []
    try:
        score = model.score(X)
    except ValueError:  # such as a value too large for float32: find the rows at fault
        return _score_apart(model, X)
    return score, _not_finite(score)


def _not_finite(score: FloatArray) -> list[tuple[int, ReadingRejectedError]]:
    if np.isfinite(score).all():
        return []
    error = ReadingRejectedError("score_not_finite", "the model gives no finite score for it")
    return [(int(row), error) for row in np.flatnonzero(~np.isfinite(score))]


def _score_apart(
    model: LoadedModel, X: FloatArray
) -> tuple[FloatArray, list[tuple[int, ReadingRejectedError]]]:
    """Score by halves, so that a few bad rows cost a few more calls.

    Raises
    ------
    ValueError
        From the estimator, where it fails for its own medians too: then the fault is not in the
        readings.
    """
    score = np.full(len(X), np.nan)
    failed: list[tuple[int, ReadingRejectedError]] = []
    spans = [(0, len(X))]
    while spans:
        start, end = spans.pop()
        try:
            score[start:end] = model.score(X[start:end])
        except ValueError as error:
            if end - start > 1:
                middle = (start + end) // 2
                spans += [(middle, end), (start, middle)]
                continue
            message = f"the model refuses its values: {error}"[:200]
            failed.append((start, ReadingRejectedError("refused_by_model", message)))
    if len(failed) == len(X):
        model.score(np.zeros_like(X[:1]) if model.medians is None else model.medians[None, :])
    done = {row for row, _ in failed}
    return score, failed + [one for one in _not_finite(score) if one[0] not in done]


def _without(
    matrix: FeatureMatrix, score: FloatArray, failed: Sequence[int]
) -> tuple[FeatureMatrix, FloatArray]:
    keep = np.ones(len(score), np.bool_)
    keep[list(failed)] = False
    left = FeatureMatrix(matrix.X[keep], matrix.kept[keep], matrix.filled[keep], matrix.rejected)
    return left, score[keep]


def _scored_batch(
    batch: EventBatch,
    readings: Readings,
    kept: npt.NDArray[np.int64],
    matrix: FeatureMatrix,
    score: FloatArray,
    model: LoadedModel,
    policy: Policy,
) -> ScoredBatch:
    sensor_ids = _pick(readings.sensor_ids, kept)
    decided = is_anomaly(score, model.threshold, model.rule)
    severity = anomalousness(score, model.rule)
    events = readings.events[kept]
    return ScoredBatch(
        model=model.name,
        model_version=model.version,
        features=model.features,
        sensor_ids=sensor_ids,
        event_time_ns=readings.event_time_ns[kept],
        X=matrix.X,
        filled=matrix.filled,
        score=score,
        anomaly_score=anomaly_scores(model.calibration, severity) if model.calibration else None,
        is_anomaly=decided,
        causes=_causes(model, matrix.X, decided, severity, sensor_ids, policy),
        payloads=_pick(readings.payloads, kept),
        partition=batch.partition,
        sequence_numbers=np.asarray(batch.sequence_numbers, np.int64)[events],
        indexes=readings.indexes[kept],
    )


def _pick(column: list[_T], rows: npt.NDArray[np.int64]) -> list[_T]:
    """Take rows of a column; the column itself where that is all of it, as it usually is."""
    if len(rows) == len(column):
        return column
    return [column[row] for row in rows.tolist()]


def _causes(
    model: LoadedModel,
    X: FloatArray,
    decided: BoolArray | None,
    severity: FloatArray,
    sensor_ids: Sequence[str],
    policy: Policy,
) -> Mapping[int, Cause]:
    if decided is None or model.medians is None or not decided.any():
        return {}
    rows = worst_rows(decided, severity, sensor_ids, policy.attribution_max_readings)
    found = causes(model.score, X[rows], model.rule, model.medians, model.features)
    return {row: cause for row, cause in zip(rows.tolist(), found, strict=True) if cause}
