"""Neighbours trees of a model, built again from their points.

A KDTree or BallTree in a file is C state full of indices that nothing checks; one out of range
crashes the process. So its state is never applied: the estimator that holds it has the points
it was built from, and building is deterministic.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from scoring.model_files.model_faults import ModelFaultError

_TREE_METHODS: Final = ("ball_tree", "kd_tree")
_POINT_KINDS: Final = "iuf"
_LARGEST_LEAF: Final = 1_000_000  # more points than that in one leaf is a brute-force search


@dataclass(frozen=True, slots=True, eq=False)
class UnbuiltTree:
    """Stands where a file holds a neighbours tree, until `rebuild_tree`."""


@dataclass(frozen=True, slots=True, eq=False)
class Unused:
    """Stands where a file holds state that no prediction needs."""


def rebuild_tree(estimator: object) -> None:
    """Give a nearest-neighbours estimator the tree that its points make.

    Parameters
    ----------
    estimator : object
        Anything from the model; without a ``_fit_method`` it is left alone.

    Raises
    ------
    ModelFaultError
        If the points, the metric or the leaf size cannot make a tree.
    """
    attributes = getattr(estimator, "__dict__", {})
    method = attributes.get("_fit_method")
    if type(method) is str and method in _TREE_METHODS:
        attributes["_tree"] = _built(method, attributes)
    elif isinstance(attributes.get("_tree"), UnbuiltTree):
        attributes["_tree"] = None


def _built(method: str, attributes: dict[str, Any]) -> object:
    from sklearn.neighbors import BallTree, KDTree  # noqa: PLC0415 - only models with neighbours

    tree = BallTree if method == "ball_tree" else KDTree
    metric = attributes.get("effective_metric_")
    if type(metric) is not str or metric == "pyfunc" or metric not in tree.valid_metrics:
        raise ModelFaultError(f"holds a {method} with a metric that it does not support")
    points = checked_points(attributes.get("_fit_X"))
    leaf_size = attributes.get("leaf_size")
    if type(leaf_size) is not int or not 1 <= leaf_size <= _LARGEST_LEAF:
        raise ModelFaultError(f"holds a {method} with an impossible leaf_size")
    parameters = checked_metric_parameters(
        attributes.get("effective_metric_params_"), points.shape[1]
    )
    return tree(points, leaf_size, metric=metric, **parameters)


def checked_points(points: object) -> np.ndarray[Any, Any]:
    """Return the points neighbours are searched in: a finite matrix with at least one row."""
    if not isinstance(points, np.ndarray) or points.ndim != 2 or not points.size:  # noqa: PLR2004 - rows and columns
        raise ModelFaultError("holds neighbours whose _fit_X is no matrix")
    if points.dtype.kind not in _POINT_KINDS or not np.isfinite(points).all():
        raise ModelFaultError("holds neighbours whose _fit_X is not finite")
    return points


def checked_metric_parameters(parameters: object, n_features: int) -> dict[str, Any]:
    """Return a metric's parameters: numbers, or arrays as wide as the points.

    SciPy's distances read a shorter array beyond its end.
    """
    if parameters is None:
        return {}
    if type(parameters) is not dict:
        raise ModelFaultError("holds a metric with unreadable parameters")
    for name, value in parameters.items():
        if isinstance(value, np.ndarray):
            _check_metric_array(name, value, n_features)
        elif type(value) not in (int, float, type(None)) and not isinstance(value, np.number):
            raise ModelFaultError("holds a metric with a parameter that is no number or array")
    return dict(parameters)


def _check_metric_array(name: str, value: np.ndarray[Any, Any], n_features: int) -> None:
    fits = value.shape in ((n_features,), (n_features, n_features))
    if not fits or value.dtype != np.float64 or not np.isfinite(value).all():
        raise ModelFaultError(f"holds a metric whose {name} does not fit {n_features} features")
