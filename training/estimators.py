"""Makes unfitted estimators by name, each optionally behind a scaler."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scoring.errors import ScoringError
from scoring.features import FloatArray

# Memory or time of these grows with the square of the rows; they are fitted on a sample.
SAMPLED = {"one_class_svm": 20_000, "local_outlier_factor": 50_000}

# With more, the anomalies would be the usual readings.
_MOST_CONTAMINATION = 0.5
# A kernel's width against scikit-learn's own ("scale"), which is made for two classes: with it
# one class has holes, and the most usual readings of all come out as anomalies.
_SVM_GAMMA = 0.3


@dataclass(frozen=True, slots=True)
class FitOptions:
    """What to fit, and how.

    Parameters
    ----------
    model : str
        A key of `MODELS`.
    scaler : str
        A key of `SCALERS`.
    contamination : float
        The share of training readings beyond the threshold, in (0, 0.5]. It sets the threshold;
        it says nothing about how good the model is.
    n_estimators : int
        Trees of a forest.
    max_samples : int
        Readings that each tree sees. More of them tell a single feature that is off apart from
        the edge of the normal, and make deeper, slower trees.
    n_clusters : int
        Centres of k-means.
    seed : int
    """

    model: str = "isolation_forest"
    scaler: str = "standard"
    contamination: float = 0.01
    n_estimators: int = 100
    max_samples: int = 256
    n_clusters: int = 8
    seed: int = 0


class FitError(ScoringError):
    """A model cannot be fitted as asked."""


def _isolation_forest(options: FitOptions, rows: FloatArray) -> Any:
    from sklearn.ensemble import IsolationForest  # noqa: PLC0415  # 1 s, first use

    return IsolationForest(
        n_estimators=options.n_estimators,
        max_samples=min(options.max_samples, len(rows)),
        contamination=options.contamination,
        random_state=options.seed,
    )


def _one_class_svm(options: FitOptions, rows: FloatArray) -> Any:
    from sklearn.svm import OneClassSVM  # noqa: PLC0415  # the same

    spread = float(rows.var()) or 1.0
    gamma = _SVM_GAMMA / (rows.shape[1] * spread)
    return OneClassSVM(nu=options.contamination, gamma=gamma)


def _local_outlier_factor(options: FitOptions, rows: FloatArray) -> Any:
    from sklearn.neighbors import LocalOutlierFactor  # noqa: PLC0415  # the same

    return LocalOutlierFactor(
        n_neighbors=min(20, len(rows) - 1), novelty=True, contamination=options.contamination
    )


def _k_means(options: FitOptions, rows: FloatArray) -> Any:
    from sklearn.cluster import KMeans  # noqa: PLC0415  # the same

    return KMeans(
        n_clusters=min(options.n_clusters, len(rows)), n_init=10, random_state=options.seed
    )


def _elliptic_envelope(options: FitOptions, _rows: FloatArray) -> Any:
    from sklearn.covariance import EllipticEnvelope  # noqa: PLC0415  # the same

    return EllipticEnvelope(contamination=options.contamination, random_state=options.seed)


MODELS: dict[str, Callable[[FitOptions, FloatArray], Any]] = {
    "isolation_forest": _isolation_forest,
    "one_class_svm": _one_class_svm,
    "local_outlier_factor": _local_outlier_factor,
    "k_means": _k_means,
    "elliptic_envelope": _elliptic_envelope,
}
SCALERS = {
    "none": None,
    "standard": "StandardScaler",
    "robust": "RobustScaler",
    "min_max": "MinMaxScaler",
}


def make_estimator(options: FitOptions, rows: FloatArray) -> Any:
    """Make the estimator that `options` name, not fitted yet.

    Parameters
    ----------
    options : FitOptions
    rows : ndarray of shape (n_readings, n_features), float64
        What it will be fitted on; their number and spread set some of its parameters.

    Raises
    ------
    FitError
        For a name that is none of those there are, or a contamination that is no share.
    """
    if not 0 < options.contamination <= _MOST_CONTAMINATION:
        raise FitError(
            f"contamination {options.contamination} is not above 0 and at most"
            f" {_MOST_CONTAMINATION}; give the share of training readings to flag"
        )
    if options.model not in MODELS or options.scaler not in SCALERS:
        raise FitError(
            f"model {options.model!r} with scaler {options.scaler!r} is not offered;"
            f" choose of {', '.join(MODELS)} and of {', '.join(SCALERS)}"
        )
    scaler = SCALERS[options.scaler]
    if scaler is None:
        return MODELS[options.model](options, rows)
    from sklearn import preprocessing  # noqa: PLC0415  # the same
    from sklearn.pipeline import Pipeline  # noqa: PLC0415  # the same

    first = getattr(preprocessing, scaler)()
    model = MODELS[options.model](options, first.fit_transform(rows))
    return Pipeline([("scaler", first), ("model", model)])
