"""Tests of scoring.features: numbers in the model's order, or a rejection that names the field."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.features import feature_matrix

NAMES = ("temperature", "humidity")
GOOD: dict[str, Any] = {"temperature": 20, "humidity": 55.5}


def test_features_stand_in_the_models_order() -> None:
    """Whatever the order in the reading; what else it holds is left alone."""
    found = feature_matrix([{"humidity": 1.5, "x": "y", "temperature": 2}], NAMES)
    assert found.X.tolist() == [[2.0, 1.5]]
    assert found.X.dtype == np.float64


def test_features_may_stand_in_an_object_of_their_own() -> None:
    """Where it is there, top-level keys are not looked at."""
    inner = {"temperature": 9, "features": {"temperature": 1, "humidity": 2}}
    assert feature_matrix([inner, GOOD], NAMES).X.tolist() == [[1.0, 2.0], [20.0, 55.5]]
    rejected = feature_matrix([{**GOOD, "features": {}}], NAMES).rejected
    assert [(row, error.reason) for row, error in rejected] == [(0, "missing_feature")]


def test_a_key_called_features_may_be_something_else() -> None:
    """Only an object holds features."""
    assert feature_matrix([{**GOOD, "features": 2}], NAMES).X.tolist() == [[20.0, 55.5]]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (True, "feature_not_a_number"),
        (False, "feature_not_a_number"),
        ("20", "feature_not_a_number"),
        ("", "feature_not_a_number"),
        (None, "feature_not_a_number"),
        ([20], "feature_not_a_number"),
        ({}, "feature_not_a_number"),
        (float("nan"), "feature_not_finite"),
        (float("inf"), "feature_not_finite"),
        (-float("inf"), "feature_not_finite"),
        (10**400, "feature_not_finite"),
    ],
    ids=lambda value: repr(value)[:12],
)
@pytest.mark.parametrize("medians", [None, np.array([1.0, 2.0])], ids=["reject", "median"])
def test_a_value_that_is_no_finite_number_is_rejected(
    value: object, reason: str, medians: Any
) -> None:
    """The feature is named, its neighbours are kept, and no median hides it."""
    found = feature_matrix([GOOD, {**GOOD, "humidity": value}, GOOD], NAMES, medians)
    ((row, error),) = found.rejected
    assert (row, error.reason, error.field) == (1, reason, "humidity")
    assert found.kept.tolist() == [0, 2]
    assert found.X.tolist() == [[20.0, 55.5]] * 2


def test_a_missing_feature_is_named() -> None:
    """The first one that is missing, in the model's order."""
    found = feature_matrix([GOOD, {"temperature": 1}], NAMES)
    ((row, error),) = found.rejected
    assert (row, error.reason, error.field) == (1, "missing_feature", "humidity")


def test_missing_features_take_the_median_where_asked() -> None:
    """How many were filled is counted a reading; what is there stays."""
    found = feature_matrix([GOOD, {"temperature": 1}, {}], NAMES, np.array([7.0, 8.0]))
    assert found.X.tolist() == [[20.0, 55.5], [1.0, 8.0], [7.0, 8.0]]
    assert found.filled.tolist() == [0, 1, 2]
    assert found.rejected == []


@pytest.mark.parametrize("names", [("temperature",), NAMES], ids=["one", "two"])
def test_no_reading_is_no_row(names: tuple[str, ...]) -> None:
    """The matrix keeps its width."""
    assert feature_matrix([], names).X.shape == (0, len(names))
    assert feature_matrix([{}], names).X.shape == (0, len(names))
    assert feature_matrix([GOOD], names).X.shape == (1, len(names))


json_values = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text())
payloads = st.lists(st.dictionaries(st.sampled_from([*NAMES, "features", "x"]), json_values))


@given(payloads)
def test_every_reading_is_kept_or_rejected(some: list[dict[str, Any]]) -> None:
    """Never both, never neither; what is kept is finite."""
    found = feature_matrix(some, NAMES)
    rows = found.kept.tolist() + [row for row, _ in found.rejected]
    assert sorted(rows) == list(range(len(some)))
    assert len(found.X) == len(found.kept) == len(found.filled)
    assert np.isfinite(found.X).all()


@given(payloads)
def test_a_reading_fares_alike_alone_and_in_company(some: list[dict[str, Any]]) -> None:
    """The fast way for a clean batch and the way row by row give the same."""
    together = feature_matrix(some, NAMES)
    for row, values in zip(together.kept.tolist(), together.X.tolist(), strict=True):
        assert feature_matrix([some[row]], NAMES).X.tolist() == [values]
    for row, error in together.rejected:
        ((_, alone),) = feature_matrix([some[row]], NAMES).rejected
        assert (alone.reason, alone.field) == (error.reason, error.field)


def test_integers_beyond_float_precision_are_the_nearest_float() -> None:
    """As JSON itself has it."""
    exact = json.loads("9007199254740993")
    found = feature_matrix([{"temperature": exact, "humidity": 0}], NAMES)
    assert found.X[0, 0] == float(exact)
