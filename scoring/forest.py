"""Evaluates an isolation forest from flat arrays: all trees and a block of rows together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scoring.features import FloatArray

# The first levels are compared densely: every node there against every row, with SIMD. A node
# more on a level doubles that, while a gather costs the same on each; four levels measured best.
_DENSE_LEVELS = 4
# Trees x rows walked together: the arrays of one step stay in the second-level cache.
_GROUP_TREES = 128
_BLOCK_ROWS = 512
# Below this many rows the calls cost more than the work: fewer calls, no dense levels.
_FEW_ROWS = 8
_LEAF = -1

Index = npt.NDArray[np.intp]
Float32 = npt.NDArray[np.float32]
ScoreRows = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, slots=True)
class _Group:
    """Some trees as arrays; nodes of all trees are numbered through.

    Siblings stand side by side, the right one after the left. A leaf is its own left sibling
    with an infinite threshold, so that a row that has arrived stays.
    """

    roots: Index  # (n_trees,)
    left: Index  # (n_nodes,)
    feature: Index  # (n_nodes,)
    threshold: Float32  # (n_nodes,)
    length: FloatArray  # (n_nodes,) path length of a leaf
    depth: int
    dense: "tuple[_DenseLevel, ...]"
    entries: Index  # (n_trees * 2**len(dense),) node that a path through the dense levels ends at

    def path_lengths(self, X: Float32) -> FloatArray:
        """Return the path length of each row in each tree, of shape (n_trees, n_rows)."""
        n_rows, n_features = X.shape
        row_starts = np.arange(n_rows, dtype=np.intp) * n_features
        if n_rows <= _FEW_ROWS or not self.dense:
            node = np.repeat(self.roots[:, None], n_rows, axis=1)
            steps = self.depth
        else:
            node = self._after_dense_levels(np.ascontiguousarray(X.T))
            steps = self.depth - len(self.dense)
        values = X.reshape(-1)
        for _ in range(steps):
            at = self.feature.take(node)
            at += row_starts
            goes_right = values.take(at) > self.threshold.take(node)
            node = self.left.take(node)
            node += goes_right
        return self.length.take(node)

    def _after_dense_levels(self, columns: Float32) -> Index:
        """Compare the first levels as a whole, and look up where each row has got to."""
        n_trees, n_rows = len(self.roots), columns.shape[1]
        turns: list[npt.NDArray[np.bool_]] = []
        for level, nodes in enumerate(self.dense):
            right = (columns[nodes.feature] > nodes.threshold).reshape(2**level, n_trees, n_rows)
            for turn in turns:  # halve the candidates by each turn taken before
                half = len(right) // 2
                right = right[:half] ^ ((right[:half] ^ right[half:]) & turn)
            turns.append(right[0])
        path = turns[0].view(np.uint8)
        for turn in turns[1:]:
            path = np.bitwise_or(path << 1, turn.view(np.uint8), dtype=np.uint8)
        starts = np.arange(n_trees, dtype=np.intp)[:, None] << len(self.dense)
        return self.entries.take(path + starts)


@dataclass(frozen=True, slots=True)
class _DenseLevel:
    """The nodes of one level of every tree, node by node, tree by tree."""

    feature: Index  # (2**level * n_trees,)
    threshold: Float32  # (2**level * n_trees, 1)


class FlatForest:
    """An isolation forest that scores as scikit-learn's does, in a fraction of the time.

    Parameters
    ----------
    forest : fitted sklearn.ensemble.IsolationForest
        Its trees have been checked (`scoring.structure`).

    References
    ----------
    Liu, Ting, Zhou, "Isolation forest", ICDM 2008. scikit-learn's trees compare float32 rows
    with float64 thresholds; here a threshold is the largest float32 not above it, which gives
    the same answer for every float32.
    """

    def __init__(self, forest: Any) -> None:
        from sklearn.ensemble._iforest import _average_path_length  # noqa: PLC0415  # first use

        trees = [
            _tree_arrays(tree.tree_, features, _average_path_length)
            for tree, features in zip(forest.estimators_, forest.estimators_features_, strict=True)
        ]
        self._groups = [
            _group(trees[start : start + _GROUP_TREES])
            for start in range(0, len(trees), _GROUP_TREES)
        ]
        longest = float(_average_path_length([forest._max_samples])[0])  # noqa: SLF001
        self._denominator = len(trees) * longest
        self._offset = forest.offset_

    def decision_function(self, X: FloatArray) -> FloatArray:
        """Score rows as `IsolationForest.decision_function` does; below 0 is an anomaly.

        Parameters
        ----------
        X : ndarray of shape (n_readings, n_features), float64
            Without NaN. What is too large for float32 counts as infinite, as in scikit-learn.
        """
        with np.errstate(over="ignore"):
            rows = np.ascontiguousarray(X, np.float32)
        lengths = np.empty(len(rows))
        for start in range(0, len(rows), _BLOCK_ROWS):
            block = rows[start : start + _BLOCK_ROWS]
            lengths[start : start + _BLOCK_ROWS] = self._path_lengths(block)
        scores: FloatArray = np.ones(len(rows))  # what it is where a single reading was fitted
        if self._denominator != 0:
            scores = 2 ** -(lengths / self._denominator)
        decisions: FloatArray = -scores - self._offset
        return decisions

    def _path_lengths(self, block: Float32) -> FloatArray:
        """Add up over all trees, one after the other as scikit-learn does: the same rounding."""
        total = np.zeros(len(block))
        for group in self._groups:
            lengths = group.path_lengths(block)
            # cumsum, because NumPy adds up a single column pairwise
            add = np.add.reduce if len(block) > 1 else _running_total
            total[:] = add(np.vstack([total, lengths]) if len(self._groups) > 1 else lengths)
        return total


def _running_total(lengths: FloatArray) -> FloatArray:
    total: FloatArray = lengths.cumsum(axis=0)[-1]
    return total


@dataclass(frozen=True, slots=True)
class _Tree:
    """One tree in breadth-first order, siblings side by side; node 0 is the root."""

    left: Index
    feature: Index
    threshold: Float32
    length: FloatArray
    depth: int


def _tree_arrays(
    tree: Any, features: Sequence[int], average_path_length: Callable[[Any], FloatArray]
) -> _Tree:
    order, depths = _breadth_first(tree.children_left, tree.children_right)
    place = np.empty(len(order), np.intp)
    place[order] = np.arange(len(order))
    is_leaf = tree.children_left[order] == _LEAF
    left = np.where(is_leaf, np.arange(len(order)), place[tree.children_left[order]])
    columns = np.asarray(features, np.intp)[np.where(is_leaf, 0, tree.feature[order])]
    threshold = np.where(is_leaf, np.float32(np.inf), _float32_below(tree.threshold[order]))
    # in the order in which scikit-learn adds, for the same rounding
    length = (depths + 1.0) + average_path_length(tree.n_node_samples[order]) - 1.0
    return _Tree(left, columns, threshold, np.where(is_leaf, length, 0.0), int(depths.max()))


def _breadth_first(
    children_left: npt.NDArray[np.int64], children_right: npt.NDArray[np.int64]
) -> tuple[Index, npt.NDArray[np.int64]]:
    """Order nodes level by level; returns the order and the depth of each."""
    levels = [np.zeros(1, np.intp)]
    while True:
        inner = levels[-1][children_left[levels[-1]] != _LEAF]
        if not len(inner):
            break
        levels.append(np.stack([children_left[inner], children_right[inner]], axis=1).ravel())
    depths = np.repeat(np.arange(len(levels)), [len(level) for level in levels])
    return np.concatenate(levels), depths


def _float32_below(threshold: FloatArray) -> Float32:
    """Return the largest float32 that is not above each threshold."""
    nearest = threshold.astype(np.float32)
    below = np.nextafter(nearest, np.float32(-np.inf))
    return np.where(nearest.astype(np.float64) > threshold, below, nearest)


def _group(trees: Sequence[_Tree]) -> _Group:
    starts = np.cumsum([0, *(len(tree.left) for tree in trees)])[:-1].astype(np.intp)
    depth = max(tree.depth for tree in trees)
    left = np.concatenate([tree.left + start for tree, start in zip(trees, starts, strict=True)])
    feature = np.concatenate([tree.feature for tree in trees])
    threshold = np.concatenate([tree.threshold for tree in trees])
    levels: list[_DenseLevel] = []
    nodes = starts[None, :]  # (2**level, n_trees), a leaf standing for both of its children
    for _ in range(min(_DENSE_LEVELS, depth)):
        flat = nodes.ravel()
        levels.append(_DenseLevel(feature[flat], threshold[flat][:, None]))
        is_leaf = left[nodes] == nodes
        right = np.where(is_leaf, nodes, left[nodes] + 1)
        nodes = np.stack([left[nodes], right], axis=1).reshape(-1, len(trees))
    return _Group(
        roots=starts,
        left=left,
        feature=feature,
        threshold=threshold,
        length=np.concatenate([tree.length for tree in trees]),
        depth=depth,
        dense=tuple(levels),
        entries=np.ascontiguousarray(nodes.T).ravel(),
    )
