"""Tests of scoring.feature_names: the columns of a model's matrix have names, in its order."""

from types import SimpleNamespace

import pytest

from scoring.errors import ArtifactRejectedError
from scoring.feature_names import check_order, feature_names

NAMED = SimpleNamespace(feature_names_in_=["a", "b"], n_features_in_=2)
COUNTED = SimpleNamespace(n_features_in_=2)
SILENT = SimpleNamespace()


@pytest.mark.parametrize(
    ("estimator", "told", "names"),
    [
        (NAMED, ("c", "d"), ("c", "d")),
        (NAMED, None, ("a", "b")),
        (COUNTED, None, ("feature_1", "feature_2")),
        (SILENT, ("c", "d", "e"), ("c", "d", "e")),
    ],
    ids=["told", "fitted", "counted", "told alone"],
)
def test_names_are_those_told_else_fitted_else_numbers(
    estimator: object, told: tuple[str, ...] | None, names: tuple[str, ...]
) -> None:
    """The first that knows."""
    assert feature_names(estimator, told, artifact="m") == names


@pytest.mark.parametrize("told", [("a",), ("a", "b", "c")])
def test_each_column_needs_one_name(told: tuple[str, ...]) -> None:
    """Nothing is cut off or made up."""
    with pytest.raises(ArtifactRejectedError, match=f"on 2 features, and {len(told)} are named"):
        feature_names(COUNTED, told, artifact="m")


def test_names_as_long_as_those_fitted_are_counted_where_no_number_is_told() -> None:
    """A model may know its names and not their number."""
    with pytest.raises(ArtifactRejectedError, match="on 2 features, and 1 are named"):
        feature_names(SimpleNamespace(feature_names_in_=["a", "b"]), ("a",), artifact="m")


def test_a_model_without_any_name_is_refused() -> None:
    """Only its owner knows what it was fitted on."""
    with pytest.raises(ArtifactRejectedError, match="does not say its features; set FEATURE_KEYS"):
        feature_names(SILENT, None, artifact="m")


def test_the_same_names_in_another_order_are_refused() -> None:
    """They would mix up the columns; other names may be a choice."""
    with pytest.raises(ArtifactRejectedError, match="use the order a,b"):
        feature_names(NAMED, ("b", "a"), artifact="m")
    check_order(("a", "c"), ("b", "a"), "m")
    check_order(("a", "b"), ("a", "b"), "m")


def test_a_name_that_no_store_takes_raises() -> None:
    """Half a surrogate pair has no bytes."""
    with pytest.raises(UnicodeEncodeError):
        feature_names(SILENT, ("\ud800",), artifact="m")
