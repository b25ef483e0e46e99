"""What must hold within fitted trees and forests before they score."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from scoring.model_files.building_blocks import type_name
from scoring.structure.fitted_attributes import FittedAttributes

_TREES: Final = "sklearn.tree._classes."
_FORESTS: Final = "sklearn.ensemble._forest."
_TREE: Final = "sklearn.tree._tree.Tree"


def _tree_of(fitted: FittedAttributes, n_features: int) -> Any:
    tree = fitted.get("tree_")
    if type_name(tree) != _TREE or tree.node_count < 1:
        raise fitted.fault("whose tree_ holds no nodes")
    if tree.n_features != n_features:
        raise fitted.fault(f"whose tree_ compares {tree.n_features} features, not {n_features}")
    if tree.n_outputs != 1 or fitted.whole("n_outputs_", 1, 1) != 1:
        raise fitted.fault("with more than one output")
    return tree


def _check_tree_classifier(fitted: FittedAttributes, n_features: int) -> None:
    n_classes = fitted.classes()
    fitted.whole("n_classes_", n_classes, n_classes)
    if _tree_of(fitted, n_features).max_n_classes != n_classes:
        raise fitted.fault("whose tree_ has another number of classes")


def _check_tree_regressor(fitted: FittedAttributes, n_features: int) -> None:
    if _tree_of(fitted, n_features).max_n_classes != 1:
        raise fitted.fault("whose tree_ tells classes apart")


def _check_forest(tree: str) -> Callable[[FittedAttributes, int], None]:
    """Build the check of a forest of one kind of tree."""
    is_classifier = tree.endswith("Classifier")

    def check(fitted: FittedAttributes, n_features: int) -> None:
        fitted.whole("n_outputs_", 1, 1)
        n_classes = fitted.classes() if is_classifier else 1
        if is_classifier:
            fitted.whole("n_classes_", n_classes, n_classes)
        for member in fitted.estimators("estimators_", (_TREES + tree,)):
            attributes = FittedAttributes(member)
            attributes.whole("n_features_in_", n_features, n_features)
            if _tree_of(attributes, n_features).max_n_classes != n_classes:
                raise fitted.fault("with a tree that has another number of classes")
            if is_classifier:
                _check_tree_classifier(attributes, n_features)

    return check


def _check_isolation_forest(fitted: FittedAttributes, n_features: int) -> None:
    members = fitted.estimators("estimators_", (_TREES + "ExtraTreeRegressor",))
    n_used = fitted.whole("_max_features", 1, n_features)
    fitted.whole("_max_samples", 1, 2**31)
    fitted.number("offset_")
    features = fitted.arrays("estimators_features_")
    lengths = fitted.arrays("_average_path_length_per_tree")
    depths = fitted.arrays("_decision_path_lengths")
    if not len(members) == len(features) == len(lengths) == len(depths):
        raise fitted.fault("whose lists have not one entry a tree")
    for member, columns, of_leaves, of_paths in zip(
        members, features, lengths, depths, strict=True
    ):
        _check_columns(fitted, columns, n_used, n_features)
        attributes = FittedAttributes(member)
        attributes.whole("n_features_in_", n_used, n_used)
        tree = _tree_of(attributes, n_used)
        if not of_leaves.shape == of_paths.shape == (tree.node_count,):
            raise fitted.fault("whose path lengths have not one entry a node")
        if not (np.isfinite(of_leaves).all() and np.isfinite(of_paths).all()):
            raise fitted.fault("whose path lengths are not finite")


def _check_columns(
    fitted: FittedAttributes, columns: np.ndarray[Any, Any], n_used: int, n_features: int
) -> None:
    if columns.shape != (n_used,) or columns.dtype.kind not in "iu":
        raise fitted.fault("whose estimators_features_ contradict its trees")
    if columns.min() < 0 or columns.max() >= n_features:
        raise fitted.fault(f"whose estimators_features_ are not within 0 to {n_features - 1}")


TREE_CHECKS: Final[Mapping[str, Callable[[FittedAttributes, int], None]]] = MappingProxyType(
    {
        "sklearn.ensemble._iforest.IsolationForest": _check_isolation_forest,
        _FORESTS + "ExtraTreesClassifier": _check_forest("ExtraTreeClassifier"),
        _FORESTS + "ExtraTreesRegressor": _check_forest("ExtraTreeRegressor"),
        _FORESTS + "RandomForestClassifier": _check_forest("DecisionTreeClassifier"),
        _FORESTS + "RandomForestRegressor": _check_forest("DecisionTreeRegressor"),
        _TREES + "DecisionTreeClassifier": _check_tree_classifier,
        _TREES + "DecisionTreeRegressor": _check_tree_regressor,
        _TREES + "ExtraTreeClassifier": _check_tree_classifier,
        _TREES + "ExtraTreeRegressor": _check_tree_regressor,
    }
)
