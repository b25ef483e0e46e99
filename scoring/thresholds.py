"""Decides from scores what is an anomaly, and how severe it is."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from scoring.features import FloatArray

BoolArray = npt.NDArray[np.bool_]
# Where an anomaly begins: strictly below the threshold, strictly above it, or from it on.
Rule = Literal["below", "above", "from"]
# Enough points for a share to three digits; a manifest stays below 100 kB.
_MOST_POINTS = 2_001
# The part of the training scores that the tail beyond the worst is fitted to.
_TAIL_SHARE = 0.05


def is_anomaly(score: FloatArray, threshold: float | None, rule: Rule) -> BoolArray | None:
    """Tell which scores are anomalies; None where no threshold decides.

    Parameters
    ----------
    score : ndarray of shape (n_readings,), float64
        The estimator's own values.
    threshold : float or None
        On the same scale.
    rule : {"below", "above", "from"}
        On which side of the threshold an anomaly lies.
    """
    if threshold is None:
        return None
    if rule == "below":
        return score < threshold
    return score > threshold if rule == "above" else score >= threshold


@dataclass(frozen=True, slots=True)
class Calibration:
    """How anomalous the training readings were.

    Parameters
    ----------
    points : ndarray of shape (n_points,), float64
        Quantiles of their anomalousness at evenly spaced shares, ascending.
    tail_scale : float
        Mean excess of the worst 5 %; the rate at which severity rises beyond the last point.
    n_readings : int
        How many readings that was.
    """

    points: FloatArray
    tail_scale: float
    n_readings: int


def calibrate(anomalousness: FloatArray) -> Calibration:
    """Fit a calibration to the anomalousness of training readings.

    Parameters
    ----------
    anomalousness : ndarray of shape (n_readings,), float64
        Higher is more anomalous. Finite, not empty.

    References
    ----------
    The tail is the exponential case of the peaks-over-threshold method: Pickands, "Statistical
    inference using extreme order statistics", Annals of Statistics 3 (1975).
    """
    n = len(anomalousness)
    points = np.sort(anomalousness)
    if n > _MOST_POINTS:
        points = np.quantile(points, np.linspace(0.0, 1.0, _MOST_POINTS))
    start = np.quantile(anomalousness, 1.0 - _TAIL_SHARE)
    excess = anomalousness[anomalousness > start] - start
    scale = float(excess.mean()) if len(excess) else 0.0
    return Calibration(points, scale, n)


def anomaly_scores(calibration: Calibration, anomalousness: FloatArray) -> FloatArray:
    """Express anomalousness as the share of training readings that were less anomalous.

    Parameters
    ----------
    calibration : Calibration
    anomalousness : ndarray of shape (n_readings,), float64
        Higher is more anomalous.

    Returns
    -------
    ndarray of shape (n_readings,), float64
        In [0, 1], never falling as `anomalousness` rises. Beyond the worst training reading
        it goes on from (n - 1) / n towards 1 with the fitted exponential tail.
    """
    points, n = calibration.points, calibration.n_readings
    shares = np.linspace(0.0, (n - 1) / n, len(points))
    # ties: a reading equal to several is above those before the first, one just above them all
    first = np.minimum(np.searchsorted(points, anomalousness, side="left"), len(points) - 1)
    share = np.where(
        points[first] == anomalousness, shares[first], np.interp(anomalousness, points, shares)
    )
    beyond = anomalousness - points[-1]
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        rest = np.exp(-beyond / calibration.tail_scale) / n
    tail = 1.0 - np.where(beyond > 0, np.nan_to_num(rest, nan=0.0), 1.0 / n)
    return np.where(beyond > 0, tail, share)
