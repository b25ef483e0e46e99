"""The flat forest gives what scikit-learn gives, and is never used where it would not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.ensemble import IsolationForest

from scoring.features import FloatArray
from scoring.forest import FlatForest


def fitted(n_features: int = 4, **options: object) -> IsolationForest:
    """Fit a small forest on normal readings."""
    X = np.random.default_rng(0).normal(size=(500, n_features))
    return IsolationForest(**{"n_estimators": 30, "random_state": 1, **options}).fit(X)


def rows(n: int, n_features: int = 4) -> FloatArray:
    """Make readings inside and far outside of the training range."""
    return np.random.default_rng(2).normal(scale=3.0, size=(n, n_features))


FORESTS = {
    "default": fitted(),
    "one tree": fitted(n_estimators=1),
    "more trees than a group": fitted(n_estimators=300),
    "deep trees": fitted(max_samples=500),
    "two samples a tree": fitted(max_samples=2),
    "five samples a tree": fitted(max_samples=5),
    "some features a tree": fitted(max_features=0.5),
    "bootstrap": fitted(bootstrap=True),
    "contamination": fitted(contamination=0.05),
    "one feature": fitted(n_features=1),
    "constant readings": IsolationForest(random_state=0).fit(np.ones((50, 4))),
}


@pytest.mark.parametrize("forest", FORESTS.values(), ids=FORESTS)
@pytest.mark.parametrize("n_rows", [0, 1, 8, 9, 511, 512, 513, 1500])
def test_scores_equal_those_of_scikit_learn(forest: IsolationForest, n_rows: int) -> None:
    """Every shape of forest, and every way through the blocks, to the last bit."""
    X = rows(n_rows, forest.n_features_in_)
    expected = forest.decision_function(X) if n_rows else np.empty(0)
    found = FlatForest(forest).decision_function(X)
    assert np.array_equal(found, expected)


def test_a_row_on_a_threshold_goes_left_as_in_scikit_learn() -> None:
    """Thresholds are float64 and rows float32: those beside each threshold decide alike."""
    forest = fitted()
    thresholds = np.concatenate([tree.tree_.threshold for tree in forest.estimators_])
    near = thresholds[thresholds != -2].astype(np.float32)
    beside = np.concatenate(
        [near, np.nextafter(near, np.float32(np.inf)), np.nextafter(near, np.float32(-np.inf))]
    ).astype(np.float64)
    X = np.repeat(beside[:, None], 4, axis=1)
    assert np.array_equal(FlatForest(forest).decision_function(X), forest.decision_function(X))


@settings(max_examples=200, deadline=None)
@given(
    arrays(np.float64, st.tuples(st.integers(1, 20), st.just(4)), elements=st.floats(-1e30, 1e30))
)
def test_any_finite_rows_score_as_in_scikit_learn(X: FloatArray) -> None:
    """Huge and tiny numbers included."""
    forest = FORESTS["default"]
    assert np.array_equal(FlatForest(forest).decision_function(X), forest.decision_function(X))


def test_a_value_beyond_float32_scores_as_in_scikit_learn() -> None:
    """Trees compare in float32, where such a value is infinite."""
    forest, X = FORESTS["default"], rows(20)
    X[3, 1], X[4, 2] = 1e300, -1e300
    with np.errstate(over="ignore"):
        expected = forest.decision_function(X)
    assert np.array_equal(FlatForest(forest).decision_function(X), expected)


def test_the_order_of_rows_makes_no_difference() -> None:
    """A row's score depends on the row alone."""
    flat, X = FlatForest(FORESTS["default"]), rows(700)
    order = np.random.default_rng(4).permutation(len(X))
    assert np.array_equal(flat.decision_function(X)[order], flat.decision_function(X[order]))
