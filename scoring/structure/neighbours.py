"""What must hold within nearest-neighbours estimators before they score."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from scoring.model_files.neighbour_trees import checked_metric_parameters, checked_points
from scoring.structure.fitted_attributes import FittedAttributes

_METHODS: Final = ("ball_tree", "brute", "kd_tree")
# "precomputed" needs distances in place of readings; "haversine" two angles. The others of
# scikit-learn's metrics are for booleans.
_METRICS: Final = (
    "braycurtis",
    "canberra",
    "chebyshev",
    "cityblock",
    "cosine",
    "euclidean",
    "infinity",
    "l1",
    "l2",
    "mahalanobis",
    "manhattan",
    "minkowski",
    "p",
    "seuclidean",
    "sqeuclidean",
)


def _check_neighbours(fitted: FittedAttributes, n_features: int) -> int:
    """Check what all of them share; return how many points there are."""
    points = checked_points(fitted.get("_fit_X"))
    if points.shape[1] != n_features:
        raise fitted.fault(f"whose _fit_X has {points.shape[1]} columns, not {n_features}")
    n_points = len(points)
    fitted.whole("n_samples_fit_", n_points, n_points)
    fitted.whole("n_neighbors", 1, 2**31)
    fitted.choice("metric", _METRICS)
    fitted.choice("effective_metric_", _METRICS)
    for name in ("metric_params", "effective_metric_params_"):
        checked_metric_parameters(fitted.get(name), n_features)
    if fitted.has("p"):
        fitted.number("p")
    if fitted.choice("_fit_method", _METHODS) != "brute" and not fitted.has("_tree"):
        raise fitted.fault("without the tree that its _fit_method needs")
    return n_points


def _check_outlier_factor(fitted: FittedAttributes, n_features: int) -> None:
    n_points = _check_neighbours(fitted, n_features)
    n_neighbours = fitted.whole("n_neighbors_", 1, n_points)
    fitted.flag("novelty")
    fitted.numbers("_distances_fit_X_", (n_points, n_neighbours))
    fitted.numbers("_lrd", (n_points,))
    fitted.numbers("negative_outlier_factor_", (n_points,))
    fitted.number("offset_")


def _check_vote(fitted: FittedAttributes, n_features: int) -> int:
    n_points = _check_neighbours(fitted, n_features)
    fitted.whole("n_neighbors", 1, n_points)
    fitted.choice("weights", ("uniform", "distance"))
    return n_points


def _check_classifier(fitted: FittedAttributes, n_features: int) -> None:
    n_points = _check_vote(fitted, n_features)
    if fitted.flag("outputs_2d_"):
        raise fitted.fault("with more than one output")
    # Compiled code adds votes at these places without looking.
    fitted.indices("_y", (n_points,), below=fitted.classes())
    fitted.exact("_y", (n_points,), np.intp)


def _check_regressor(fitted: FittedAttributes, n_features: int) -> None:
    n_points = _check_vote(fitted, n_features)
    y = fitted.get("_y")
    if not isinstance(y, np.ndarray) or y.shape != (n_points,) or y.dtype.kind not in "iuf":
        raise fitted.fault("whose _y has not one number a point")
    if not np.isfinite(y).all():
        raise fitted.fault("whose _y is not finite")


NEIGHBOUR_CHECKS: Final[Mapping[str, Callable[[FittedAttributes, int], None]]] = MappingProxyType(
    {
        "sklearn.neighbors._classification.KNeighborsClassifier": _check_classifier,
        "sklearn.neighbors._lof.LocalOutlierFactor": _check_outlier_factor,
        "sklearn.neighbors._regression.KNeighborsRegressor": _check_regressor,
    }
)
