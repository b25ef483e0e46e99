"""Scores isolation forests from flat arrays, where that is proved to give the same."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from scoring.features import FloatArray
from scoring.forest import FlatForest
from scoring.scorer import Scorer

_log = logging.getLogger(__name__)
Transform = Callable[[FloatArray], FloatArray]
# Rows that the two ways are held against each other on, and how far apart they may be: path
# lengths are added in another order.
_PROOF_ROWS = 64
_TOLERANCE = 1e-12


def flat_scorer(estimator: Any, scorer: Scorer, artifact: str) -> Scorer:
    """Return a faster scorer that gives the same, or the one given.

    Parameters
    ----------
    estimator : fitted estimator or pipeline
        An isolation forest, alone or behind scalers, is made flat; anything else is left.
    scorer : Scorer
        scikit-learn's own way.
    artifact : str
        Named in the log.
    """
    from sklearn.ensemble import IsolationForest  # noqa: PLC0415  # 1 s, first use

    steps = [step for _, step in getattr(estimator, "steps", [("", estimator)])]
    if type(steps[-1]) is not IsolationForest or scorer.method != "decision_function":
        return scorer
    transforms = [_transform(step) for step in steps[:-1]]
    if None in transforms:
        return scorer
    forest = FlatForest(steps[-1])

    def score(X: FloatArray) -> FloatArray:
        for transform in transforms:
            X = transform(X)  # type: ignore[misc]  # None was sorted out above
        return forest.decision_function(X)

    rows = _proof_rows(steps)
    apart = float(np.abs(score(rows) - scorer.score(rows)).max())
    if apart <= _TOLERANCE:
        return replace(scorer, score=score)
    _log.warning("%s: the flat forest is off by %g, so scikit-learn scores", artifact, apart)
    return scorer


def _transform(step: Any) -> Transform | None:
    """Repeat what a scaler of scikit-learn does, without its checks; None for other steps."""
    made = _TRANSFORMS.get(f"{type(step).__module__}.{type(step).__name__}")
    return None if made is None else made(step)


def _standard(step: Any) -> Transform:
    return _shift_then_divide(
        step.mean_ if step.with_mean else None, step.scale_ if step.with_std else None
    )


def _robust(step: Any) -> Transform:
    return _shift_then_divide(
        step.center_ if step.with_centering else None, step.scale_ if step.with_scaling else None
    )


def _max_abs(step: Any) -> Transform | None:
    return None if getattr(step, "clip", False) else _shift_then_divide(None, step.scale_)


def _shift_then_divide(shift: FloatArray | None, scale: FloatArray | None) -> Transform:
    def transform(X: FloatArray) -> FloatArray:
        X = X if shift is None else X - shift
        return X if scale is None else X / scale

    return transform


def _min_max(step: Any) -> Transform:
    low, high = step.feature_range

    def transform(X: FloatArray) -> FloatArray:
        scaled: FloatArray = X * step.scale_ + step.min_
        return np.clip(scaled, low, high) if step.clip else scaled

    return transform


_TRANSFORMS: dict[str, Callable[[Any], Transform | None]] = {
    "sklearn.preprocessing._data.StandardScaler": _standard,
    "sklearn.preprocessing._data.RobustScaler": _robust,
    "sklearn.preprocessing._data.MaxAbsScaler": _max_abs,
    "sklearn.preprocessing._data.MinMaxScaler": _min_max,
}


def _proof_rows(steps: list[Any]) -> FloatArray:
    """Make rows that lie among the forest's own thresholds, in the units of the readings."""
    forest = steps[-1]
    generator = np.random.default_rng(0)
    found: list[list[float]] = [[] for _ in range(forest.n_features_in_)]
    for tree, columns in zip(forest.estimators_, forest.estimators_features_, strict=True):
        for column, value in zip(tree.tree_.feature, tree.tree_.threshold, strict=True):
            if column >= 0:
                found[columns[column]].append(value)
    rows = np.stack([generator.choice(values or [0.0], _PROOF_ROWS) for values in found], axis=1)
    rows += generator.normal(0.0, 0.01, rows.shape) * (rows.std(axis=0) + 1e-9)
    for step in reversed(steps[:-1]):
        rows = step.inverse_transform(rows)
    return np.asarray(rows, np.float64)
