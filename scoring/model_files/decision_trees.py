"""Fitted decision trees from a model file, checked before scikit-learn's C code walks them.

That code trusts what it is given: a cycle never ends, an index out of range reads foreign
memory or crashes the process.
"""

from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from scoring.model_files.model_faults import REFIT, ModelFaultError

_NO_CHILD: Final = -1
_NO_FEATURE: Final = -2
_MOST_FEATURES: Final = 100_000  # far above any sensor fleet; bounds what a row costs
_MOST_OUTPUTS: Final = 1_000  # allocated before the file has to show any values
_MOST_CLASSES: Final = 100_000  # the same
_DEEPEST: Final = 10_000  # every reading may take this many steps
_FINITE_FIELDS: Final = ("threshold", "impurity", "weighted_n_node_samples")
_STATE_KEYS: Final = frozenset({"max_depth", "node_count", "nodes", "values"})

Nodes = npt.NDArray[Any]
Tree = Any  # scikit-learn's Tree has no types


def new_tree(*args: object) -> Tree:
    """Make an unfitted tree after a check of its three arguments."""
    from sklearn.tree._tree import Tree as SklearnTree  # noqa: PLC0415 - costs 0.3 s to import

    if len(args) != 3:  # noqa: PLR2004 - features, classes, outputs
        raise ModelFaultError("holds a tree with the wrong number of arguments")
    n_features, n_classes, n_outputs = args
    _check_count("n_features", n_features, _MOST_FEATURES)
    _check_count("n_outputs", n_outputs, _MOST_OUTPUTS)
    if not isinstance(n_classes, np.ndarray) or n_classes.dtype != np.intp:
        raise ModelFaultError("holds a tree whose n_classes is no array of whole numbers")
    if n_classes.shape != (n_outputs,):
        raise ModelFaultError("holds a tree whose n_classes contradicts n_outputs")
    if n_classes.min() < 1 or n_classes.max() > _MOST_CLASSES:
        raise ModelFaultError("holds a tree with an impossible number of classes")
    return SklearnTree(n_features, n_classes.copy(), n_outputs)


def _check_count(name: str, count: object, most: int) -> None:
    if type(count) is not int or not 1 <= count <= most:
        raise ModelFaultError(f"holds a tree whose {name} is not between 1 and {most}")


def set_tree_state(tree: Tree, state: object) -> None:
    """Apply a tree's nodes and values after a check.

    Raises
    ------
    ModelFaultError
        If a child is not after its parent or out of range, a node has two parents, a feature
        is out of range, a number is not finite, or a count contradicts the arrays.
    """
    if tree.node_count:
        raise ModelFaultError("sets the nodes of a tree twice")
    if type(state) is not dict or state.keys() != _STATE_KEYS:
        raise ModelFaultError("holds a tree with an unreadable state")
    nodes = _checked_nodes(state["nodes"], state["node_count"])
    values = _checked_values(state["values"], (len(nodes), tree.n_outputs, tree.max_n_classes))
    _check_leaves(nodes)
    _check_branches(nodes, tree.n_features)
    _check_depth(nodes, state["max_depth"])
    tree.__setstate__(
        {
            "max_depth": state["max_depth"],
            "node_count": len(nodes),
            "nodes": nodes,
            "values": values,
        }
    )


@cache
def _node_dtype() -> np.dtype[Any]:
    tree = new_tree(1, np.ones(1, np.intp), 1)
    dtype: np.dtype[Any] = tree.__getstate__()["nodes"].dtype
    return dtype


def _checked_nodes(nodes: object, node_count: object) -> Nodes:
    if not isinstance(nodes, np.ndarray) or nodes.ndim != 1 or nodes.dtype != _node_dtype():
        raise ModelFaultError(
            "holds a tree whose nodes have another layout than this scikit-learn's", REFIT
        )
    if type(node_count) is not int or node_count != len(nodes) or node_count < 1:
        raise ModelFaultError(f"holds a tree whose node_count is not its {len(nodes)} nodes")
    for field in _FINITE_FIELDS:
        if not np.isfinite(nodes[field]).all():
            raise ModelFaultError(f"holds a tree with a {field} that is not finite")
    if nodes["n_node_samples"].min() < 0:
        raise ModelFaultError("holds a tree with a negative number of samples")
    return np.ascontiguousarray(nodes)


def _checked_values(values: object, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    if not isinstance(values, np.ndarray) or values.dtype != np.float64 or values.shape != shape:
        raise ModelFaultError(f"holds a tree whose values have not the shape {shape}")
    if not np.isfinite(values).all():
        raise ModelFaultError("holds a tree with a value that is not finite")
    return np.ascontiguousarray(values)


def _check_leaves(nodes: Nodes) -> None:
    leaves = nodes[nodes["left_child"] == _NO_CHILD]
    if (leaves["right_child"] != _NO_CHILD).any():
        raise ModelFaultError("holds a tree with a node that has only one child")
    if (leaves["feature"] != _NO_FEATURE).any():
        raise ModelFaultError("holds a tree with a leaf that compares a feature")


def _check_branches(nodes: Nodes, n_features: int) -> None:
    branches = np.flatnonzero(nodes["left_child"] != _NO_CHILD)
    features = nodes["feature"][branches]
    if ((features < 0) | (features >= n_features)).any():
        raise ModelFaultError(f"holds a tree with a feature index outside 0 to {n_features - 1}")
    children = np.stack([nodes["left_child"][branches], nodes["right_child"][branches]])
    if (children >= len(nodes)).any() or (children <= branches).any():
        raise ModelFaultError("holds a tree with a child out of range or not after its parent")
    if not np.array_equal(np.sort(children, axis=None), np.arange(1, len(nodes))):
        raise ModelFaultError("holds a tree with a node that has not exactly one parent")


def _check_depth(nodes: Nodes, max_depth: object) -> None:
    depth = _depth(nodes)
    if type(max_depth) is not int or max_depth != depth:
        raise ModelFaultError(f"holds a tree whose max_depth is not its depth of {depth}")


def _depth(nodes: Nodes) -> int:
    level = np.zeros(1, np.intp)
    for depth in range(_DEEPEST):
        branches = level[nodes["left_child"][level] != _NO_CHILD]
        if not len(branches):
            return depth
        level = np.concatenate([nodes["left_child"][branches], nodes["right_child"][branches]])
    raise ModelFaultError(f"holds a tree deeper than {_DEEPEST} nodes")
