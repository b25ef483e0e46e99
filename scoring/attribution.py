"""Says which features caused an anomaly: what putting each back to normal would change."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scoring.features import FloatArray
from scoring.scorer import ScoreRows, anomalousness
from scoring.thresholds import Rule

_MOST_CAUSES = 3


@dataclass(frozen=True, slots=True)
class Share:
    """How much of an anomaly one feature explains, in (0, 1]."""

    feature: str
    share: float


Cause = tuple[Share, ...]


def worst_rows(
    anomalous: npt.NDArray[np.bool_],
    severity: FloatArray,
    sensor_ids: Sequence[str],
    most: int,
) -> npt.NDArray[np.int64]:
    """Choose which anomalies are explained where there are more than `most`.

    Parameters
    ----------
    anomalous : ndarray of shape (n_readings,), bool
    severity : ndarray of shape (n_readings,), float64
        Higher is worse.
    sensor_ids : sequence of str
    most : int
        How many may be chosen; each sensor's worst one is chosen even beyond it.

    Returns
    -------
    ndarray of int64
        Rows, ascending.
    """
    rows = np.flatnonzero(anomalous)
    if len(rows) <= most or most == 0:
        return rows if most else rows[:0]
    worst_first = rows[np.argsort(-severity[rows], kind="stable")]
    seen: set[str] = set()
    chosen: list[int] = []
    for place, row in enumerate(worst_first):
        sensor = sensor_ids[row]
        if place < most or sensor not in seen:
            chosen.append(int(row))
        seen.add(sensor)
    return np.array(sorted(chosen), np.int64)


def causes(
    score: ScoreRows, X: FloatArray, rule: Rule, medians: FloatArray, names: Sequence[str]
) -> list[Cause]:
    """Explain rows by replacing each feature in turn by its training median.

    Parameters
    ----------
    score : callable
        Any model's native scores.
    X : ndarray of shape (n_rows, n_features), float64
        The anomalous rows alone.
    rule : {"below", "above", "from"}
    medians : ndarray of shape (n_features,), float64
    names : sequence of str

    Returns
    -------
    list of tuple of Share
        For each row up to three features, the largest share first. Empty where putting any
        single feature back makes the row no less anomalous.
    """
    n_rows, n_features = X.shape
    if n_rows == 0:
        return []
    # one call for everything: the rows as they are, then a copy for each feature
    stacked = np.repeat(X[None, :, :], n_features + 1, axis=0)
    for column in range(n_features):
        stacked[column + 1, :, column] = medians[column]
    scores = score(stacked.reshape(-1, n_features)).reshape(n_features + 1, n_rows)
    severity = anomalousness(scores, rule)
    eased = np.maximum(severity[0] - severity[1:], 0.0).T
    total = eased.sum(axis=1, keepdims=True)
    shares = np.divide(eased, total, out=np.zeros_like(eased), where=total > 0)
    return [_cause(row, names) for row in shares]


def _cause(shares: FloatArray, names: Sequence[str]) -> Cause:
    order = np.argsort(-shares, kind="stable")[:_MOST_CAUSES]
    return tuple(Share(names[i], float(shares[i])) for i in order if shares[i] > 0)
