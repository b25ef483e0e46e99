"""A model is tried on a few rows before any reading depends on it."""

import numpy as np
import pytest

from scoring.errors import ArtifactRejectedError
from scoring.features import FloatArray
from scoring.manifest import GoldenRows
from scoring.self_test import self_test

FEATURES = ("a", "b")


def sums(X: FloatArray) -> FloatArray:
    """Score by the sum of the features."""
    return X.sum(axis=1)


def fails(X: FloatArray) -> FloatArray:
    """Fail as an estimator may."""
    raise RuntimeError(f"no score for {len(X)} rows")


def test_a_model_that_scores_passes() -> None:
    """On medians, on zeros where there are none, and on golden rows."""
    self_test(sums, FEATURES, np.array([1.0, 2.0]), None, "m")
    self_test(sums, FEATURES, None, None, "m")
    self_test(sums, FEATURES, None, GoldenRows(rows=[[1.0, 2.0]], scores=[3.0]), "m")


def test_a_model_that_fails_to_score_is_refused() -> None:
    """Whatever it raises: what it was, and how many rows it was given."""
    with pytest.raises(ArtifactRejectedError, match="scoring 2 rows of its own failed: RuntimeErr"):
        self_test(fails, FEATURES, None, None, "m")


def test_a_model_that_gives_no_score_a_row_is_refused() -> None:
    """One number for all rows is no score."""
    with pytest.raises(ArtifactRejectedError, match="one score a row"):
        self_test(lambda X: X.sum(keepdims=True)[0], FEATURES, None, None, "m")


def test_other_scores_than_where_it_was_made_are_refused() -> None:
    """Golden rows tell another library version, or another model."""
    golden = GoldenRows(rows=[[1.0, 2.0]], scores=[3.0 + 1e-6])
    with pytest.raises(ArtifactRejectedError, match="golden rows"):
        self_test(sums, FEATURES, None, golden, "m")
