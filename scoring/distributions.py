"""Distributions in bins that never change: cheap to add to, and the newer less the older is one."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Bins = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
# Eight bins for each doubling of 1 ms, up to 106 days: longer than any hub keeps events. A bin
# stands for its geometric mean, so a quantile is off by at most 4.4 % (2 ** (1 / 16) - 1).
_BINS_A_DOUBLING = 8
N_LAG_BINS = 33 * _BINS_A_DOUBLING
_SHORTEST_MS = 1.0
N_SCORE_BINS = 10
# An empty bin would make the index infinite; so is the custom.
_LEAST_SHARE = 1e-4


def lag_bins(lag_ms: Sequence[float] | FloatArray) -> Bins:
    """Count lags into bins.

    Parameters
    ----------
    lag_ms : sequence of float
        Milliseconds. What is below 1, as of clocks that disagree, counts as 1.

    Returns
    -------
    ndarray of shape (n,), int64
        Counts of bins 0 to n - 1; of `N_LAG_BINS` only as many as are needed.
    """
    places = np.log2(np.maximum(lag_ms, _SHORTEST_MS)) * _BINS_A_DOUBLING
    return np.bincount(np.minimum(places, N_LAG_BINS - 1).astype(np.int64))


def lag_quantile_s(bins: Bins, quantile: float) -> float | None:
    """Return a quantile in seconds, to 4.4 %; None where nothing was counted."""
    total = int(bins.sum())
    if not total:
        return None
    rank = max(math.ceil(quantile * total), 1)
    place = int(np.searchsorted(np.cumsum(bins), rank))
    return float(_SHORTEST_MS * 2 ** ((place + 0.5) / _BINS_A_DOUBLING)) / 1e3


def score_bins(anomaly_scores: FloatArray) -> Bins:
    """Count anomaly scores, which lie in [0, 1], into ten bins of one width."""
    places = np.minimum(anomaly_scores * N_SCORE_BINS, N_SCORE_BINS - 1).astype(np.int64)
    return np.bincount(places, minlength=N_SCORE_BINS)


def stability_index(bins: Bins) -> float:
    """Return the population stability index of the counts against a uniform distribution.

    The anomaly scores of the training readings are uniform, so this is how far readings have
    moved from them: the sum over the bins of (p - q) ln(p / q), p being the share of a bin, and q
    a tenth. By custom 0.1 deserves a look, and 0.25 a new model. Without drift it is 9 / n on
    average.
    """
    shares = np.maximum(bins / bins.sum(), _LEAST_SHARE)
    expected = 1 / N_SCORE_BINS
    return float(((shares - expected) * np.log(shares / expected)).sum())
