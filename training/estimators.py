"""Makes unfitted estimators by name, each optionally behind a scaler."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scoring.errors import ScoringError

# Memory or time of these grows with the square of the rows; they are fitted on a sample.
SAMPLED = {"one_class_svm": 20_000, "local_outlier_factor": 50_000}


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


def _isolation_forest(options: FitOptions, n: int) -> Any:
    from sklearn.ensemble import IsolationForest  # noqa: PLC0415  # 1 s, first use

    return IsolationForest(
        n_estimators=options.n_estimators,
        max_samples=min(options.max_samples, n),
        contamination=options.contamination,
        random_state=options.seed,
    )


def _one_class_svm(options: FitOptions, _n: int) -> Any:
    from sklearn.svm import OneClassSVM  # noqa: PLC0415  # the same

    return OneClassSVM(nu=options.contamination, gamma="scale")


def _local_outlier_factor(options: FitOptions, n: int) -> Any:
    from sklearn.neighbors import LocalOutlierFactor  # noqa: PLC0415  # the same

    return LocalOutlierFactor(
        n_neighbors=min(20, n - 1), novelty=True, contamination=options.contamination
    )


def _k_means(options: FitOptions, n: int) -> Any:
    from sklearn.cluster import KMeans  # noqa: PLC0415  # the same

    return KMeans(n_clusters=min(options.n_clusters, n), n_init=10, random_state=options.seed)


def _elliptic_envelope(options: FitOptions, _n: int) -> Any:
    from sklearn.covariance import EllipticEnvelope  # noqa: PLC0415  # the same

    return EllipticEnvelope(contamination=options.contamination, random_state=options.seed)


MODELS: dict[str, Callable[[FitOptions, int], Any]] = {
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


def make_estimator(options: FitOptions, n_readings: int) -> Any:
    """Make the estimator that `options` name, for `n_readings` training rows.

    Raises
    ------
    FitError
        For a name that is none of those there are.
    """
    if options.model not in MODELS or options.scaler not in SCALERS:
        raise FitError(
            f"model {options.model!r} with scaler {options.scaler!r} is not offered;"
            f" choose of {', '.join(MODELS)} and of {', '.join(SCALERS)}"
        )
    estimator = MODELS[options.model](options, n_readings)
    scaler = SCALERS[options.scaler]
    if scaler is None:
        return estimator
    from sklearn import preprocessing  # noqa: PLC0415  # the same
    from sklearn.pipeline import Pipeline  # noqa: PLC0415  # the same

    return Pipeline([("scaler", getattr(preprocessing, scaler)()), ("model", estimator)])
