"""Tests of scoring.artifacts: which column is which feature."""

import numpy as np
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from scoring.errors import ArtifactRejectedError, FeatureMismatchError
from tests.loaded_artifacts import FOREST, NAMES, X_NEW, X, bare, published


def test_feature_names_come_from_the_first_that_knows() -> None:
    """FEATURE_KEYS, else the file, else what it was fitted with, else numbers."""
    named = IsolationForest(n_estimators=5, random_state=1).fit(X)
    named.feature_names_in_ = np.array(NAMES, object)
    content = {"model": FOREST, "features": ["a", "b"]}
    assert bare(named).features == NAMES
    assert bare(content).features == ("a", "b")
    assert bare(content, feature_keys=["c", "d"]).features == ("c", "d")
    assert published(feature_keys=["c", "d"]).features == ("c", "d")


def test_another_number_of_names_than_columns_is_refused() -> None:
    """Nothing is cut off or made up."""
    with pytest.raises(ArtifactRejectedError, match="fitted on 2 features, and 3 are named"):
        bare(FOREST, feature_keys=["a", "b", "c"])


def test_the_fitted_order_of_features_is_kept() -> None:
    """The same names in another order would mix up the columns."""
    named = IsolationForest(n_estimators=5, random_state=1).fit(X)
    named.feature_names_in_ = np.array(NAMES, object)
    with pytest.raises(ArtifactRejectedError, match="use the order temperature,humidity"):
        bare(named, feature_keys=NAMES[::-1])
    with pytest.raises(ArtifactRejectedError, match="use the order temperature,humidity"):
        published(feature_keys=NAMES[::-1])


def test_a_model_that_does_not_say_its_features_needs_to_be_told() -> None:
    """A type that only TRUSTED_MODEL_TYPES allows may know neither names nor their number."""
    constant = DummyRegressor().fit(X, X[:, 0])
    vars(constant).pop("n_features_in_", None)
    trusted = frozenset({"sklearn.dummy.DummyRegressor"})
    with pytest.raises(ArtifactRejectedError, match="set FEATURE_KEYS"):
        bare(constant, trusted=trusted)
    model = bare(constant, trusted=trusted, feature_keys=NAMES)
    assert np.array_equal(model.score(X_NEW), constant.predict(X_NEW))


def test_rows_of_another_width_are_refused() -> None:
    """A matrix for another model never reaches the estimator."""
    with pytest.raises(FeatureMismatchError):
        published().score(np.zeros((1, 3)))


def test_a_model_fitted_with_names_scores_without_a_warning() -> None:
    """Columns come as a plain matrix; a warning a batch would fill the log."""
    named = make_pipeline(StandardScaler(), IsolationForest(n_estimators=5, random_state=1)).fit(X)
    named[0].feature_names_in_ = np.array(NAMES, object)
    assert bare(named).score(X_NEW).shape == (50,)


def test_feature_keys_cannot_swap_the_columns_of_a_bare_artifact() -> None:
    """The order in which a dict names its features is the order it was fitted in."""
    content = {"model": FOREST, "features": ["a", "b"]}
    assert bare(content, feature_keys=["x", "y"]).features == ("x", "y")
    with pytest.raises(ArtifactRejectedError, match="in another order"):
        bare(content, feature_keys=["b", "a"])
