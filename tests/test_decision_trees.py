"""Fitted trees from a file that would hang or crash the process."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.tree import DecisionTreeRegressor
from sklearn.tree._tree import Tree

from scoring.model_files.decision_trees import new_tree, set_tree_state
from scoring.model_files.model_faults import ModelFaultError
from tests.attacks import Made, as_joblib, run_isolated
from tests.model_families import X_TRAIN, fitted

State = dict[str, Any]


def _set(field: str, value: float, *, leaf: bool = False) -> Callable[[State], None]:
    """Change one field of the first branch or leaf."""

    def change(state: State) -> None:
        is_leaf = state["nodes"]["left_child"] == -1
        state["nodes"][field][np.flatnonzero(is_leaf == leaf)[0]] = value

    return change


def _put(key: str, value: Callable[[Any], Any]) -> Callable[[State], None]:
    def change(state: State) -> None:
        state[key] = value(state[key])

    return change


# What is changed in the tree's state, and what the refusal must name.
STATES: dict[str, tuple[Callable[[State], None], str]] = {
    "cycle": (_set("left_child", 0), "child out of range or not after its parent"),
    "child out of range": (_set("right_child", 10**9), "child out of range"),
    "negative child": (_set("right_child", -7), "child out of range"),
    "only one child": (_set("right_child", 5, leaf=True), "only one child"),
    "two parents": (_set("right_child", 1), "exactly one parent"),
    "feature out of range": (_set("feature", 10**9), "feature index outside 0 to 2"),
    "negative feature": (_set("feature", -(10**9)), "feature index outside"),
    "leaf with a feature": (_set("feature", 1, leaf=True), "leaf that compares"),
    "threshold not a number": (_set("threshold", np.nan), "threshold that is not finite"),
    "infinite threshold": (_set("threshold", np.inf), "threshold that is not finite"),
    "negative samples": (_set("n_node_samples", -1), "negative number of samples"),
    "node_count too high": (_put("node_count", lambda count: count + 10**6), "node_count"),
    "node_count negative": (_put("node_count", lambda _: -1), "node_count"),
    "no nodes": (_put("nodes", lambda nodes: nodes[:0]), "node_count"),
    "nodes in two dimensions": (_put("nodes", lambda nodes: nodes[None]), "another layout"),
    "nodes of another layout": (
        _put("nodes", lambda nodes: nodes["left_child"].copy()),
        "another layout",
    ),
    "values too few": (_put("values", lambda values: values[:1]), "values"),
    "values too narrow": (_put("values", lambda values: values[:, :, :0]), "values"),
    "value not a number": (_put("values", lambda values: values * np.nan), "not finite"),
    "max_depth too low": (_put("max_depth", lambda _: 1), "max_depth"),
}


def _tree_parts() -> tuple[Any, ...]:
    tree = DecisionTreeRegressor(max_depth=3, random_state=1).fit(X_TRAIN, X_TRAIN[:, 0]).tree_
    constructor, args, state = tree.__reduce__()
    return constructor, args, {key: np.copy(value)[()] for key, value in state.items()}


def _plain(state: State) -> State:
    return state | {key: int(state[key]) for key in ("max_depth", "node_count")}


ARGUMENTS: dict[str, tuple[object, ...]] = {
    "n_outputs too high": (3, np.ones(1, np.intp), 10**6),
    "n_outputs negative": (3, np.ones(1, np.intp), -1),
    "n_outputs beyond n_classes": (3, np.ones(1, np.intp), 900),
    "n_features huge": (10**9, np.ones(1, np.intp), 1),
    "n_features none": (0, np.ones(1, np.intp), 1),
    "n_classes huge": (3, np.full(1, 2**40, np.intp), 1),
    "n_classes negative": (3, np.full(1, -1, np.intp), 1),
    "n_classes empty": (3, np.ones(0, np.intp), 0),
    "n_classes of floats": (3, np.ones(1), 1),
    "n_classes in two dimensions": (3, np.ones((1, 1), np.intp), 1),
    "too few arguments": (3,),
}


def _hostile_trees() -> dict[str, Made]:
    trees = {}
    for name, (change, _) in STATES.items():
        constructor, args, state = _tree_parts()
        change(state)
        trees[name] = Made(constructor, args, _plain(state))
    for name, args in ARGUMENTS.items():
        trees[name] = Made(Tree, args, _plain(_tree_parts()[2]))
    trees["no state"] = Made(Tree, (3, np.ones(1, np.intp), 1))
    return trees


_PROBE = """
import json, pathlib, sys
import numpy as np
from scoring.errors import ArtifactRejectedError
from scoring.model_files import open_model_file
from scoring.structure import check_structure
found = {}
for path in pathlib.Path(sys.argv[1]).iterdir():
    try:
        model = open_model_file(path.read_bytes(), artifact="a", kind="joblib")
        check_structure(model, artifact="a")
        model.decision_function(np.full((3, 3), 1e6))
        found[path.stem] = "scored"
    except ArtifactRejectedError as refusal:
        found[path.stem] = refusal.found
    pathlib.Path(sys.argv[2]).write_text(json.dumps(found))
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Open every hostile tree in another process, which a miss would hang or crash."""
    files, found = tmp_path_factory.mktemp("files"), tmp_path_factory.mktemp("found") / "found"
    for name, tree in _hostile_trees().items():
        model = fitted("isolation forest")
        model.estimators_[0].tree_ = tree
        (files / f"{name}.joblib").write_bytes(as_joblib(model))
        (files / f"{name}.pickle").write_bytes(pickle.dumps(model))
    outcome = run_isolated(_PROBE, str(files), str(found))
    assert outcome.returncode == 0, outcome.stderr[-2000:]
    read: dict[str, str] = json.loads(found.read_text())
    return read


@pytest.mark.parametrize("case", STATES)
def test_a_forest_with_a_hostile_tree_is_refused_by_its_fault(
    case: str, outcomes: dict[str, str]
) -> None:
    """Cycles hang and indices out of range crash the process: both are found before use."""
    assert STATES[case][1] in outcomes[case]


@pytest.mark.parametrize("case", [*ARGUMENTS, "no state"])
def test_a_forest_with_impossible_tree_arguments_is_refused(
    case: str, outcomes: dict[str, str]
) -> None:
    """The constructor reads out of bounds by them."""
    assert outcomes[case].startswith("holds a tree")


def test_a_good_tree_takes_its_state() -> None:
    """The checks let through what scikit-learn fits, and the copy predicts the same."""
    model = DecisionTreeRegressor(max_leaf_nodes=20, random_state=1).fit(X_TRAIN, X_TRAIN[:, 0])
    _, args, state = model.tree_.__reduce__()
    tree = new_tree(*args)
    set_tree_state(tree, state)
    X = X_TRAIN.astype(np.float32)
    assert np.array_equal(tree.predict(X), model.tree_.predict(X))


def test_a_tree_takes_its_state_only_once() -> None:
    """A second state could shrink the arrays that others still index."""
    _, args, state = _tree_parts()
    tree = new_tree(*args)
    set_tree_state(tree, _plain(state))
    with pytest.raises(ModelFaultError, match="twice"):
        set_tree_state(tree, _plain(state))


@pytest.mark.parametrize("case", ["cycle", "feature out of range", "threshold not a number"])
def test_a_hostile_tree_in_a_skops_file_is_refused_by_the_same_fault(
    case: str, tmp_path: Path
) -> None:
    """Both formats build trees through the same checks."""
    change, fault = STATES[case]
    model = fitted("decision tree regressor")
    constructor, args, state = model.tree_.__reduce__()
    state = {key: np.copy(value)[()] for key, value in state.items()}
    change(state)
    model.tree_ = constructor(*args)
    model.tree_.__setstate__(_plain(state))  # never walked in this process
    (tmp_path / "model").write_bytes(skops.io.dumps(model))
    script = _PROBE.replace('"joblib"', '"skops"').replace("decision_function", "predict")
    found = tmp_path.parent / f"{tmp_path.name}.json"
    outcome = run_isolated(script, str(tmp_path), str(found))
    assert outcome.returncode == 0, outcome.stderr[-2000:]
    assert fault in json.loads(found.read_text())["model"]
