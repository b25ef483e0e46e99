"""An isolation forest behind scalers is scored from flat arrays, and nothing else is."""

import logging
from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import OneClassSVM

from scoring import flat_scoring
from scoring.flat_scoring import flat_scorer
from scoring.forest import FlatForest
from scoring.scorer import choose_scorer

X = np.random.default_rng(5).normal([20.0, 1e-6, 1e6], [2.0, 1e-7, 1e5], (400, 3))
FAR = np.random.default_rng(6).normal([20.0, 1e-6, 1e6], [9.0, 9e-7, 9e5], (300, 3))
SCALERS: dict[str, tuple[Any, ...]] = {
    "none": (),
    "standard": (StandardScaler(),),
    "without mean": (StandardScaler(with_mean=False),),
    "without deviation": (StandardScaler(with_std=False),),
    "robust": (RobustScaler(),),
    "robust without centre": (RobustScaler(with_centering=False),),
    "robust without scale": (RobustScaler(with_scaling=False),),
    "min max": (MinMaxScaler(),),
    "min max within": (MinMaxScaler((-1, 1), clip=True),),
    "max abs": (MaxAbsScaler(),),
    "two": (RobustScaler(), StandardScaler()),
}


def forest(*steps: Any) -> Any:
    """Fit a small forest behind these steps."""
    return make_pipeline(*steps, IsolationForest(n_estimators=20, random_state=0)).fit(X)


@pytest.mark.parametrize("steps", SCALERS.values(), ids=SCALERS)
def test_scores_behind_a_scaler_are_those_of_scikit_learn(steps: tuple[Any, ...]) -> None:
    """To the last bit, and by the flat forest."""
    estimator = forest(*steps)
    own = choose_scorer(estimator, artifact="m")
    flat = flat_scorer(estimator, own, "m")
    assert flat.score is not own.score
    assert np.array_equal(flat.score(FAR), estimator.decision_function(FAR))
    assert (flat.method, flat.rule, flat.threshold) == (own.method, own.rule, own.threshold)


@pytest.mark.parametrize(
    "estimator",
    [
        OneClassSVM().fit(X),
        forest(PCA(2)),
        forest(QuantileTransformer(n_quantiles=50)),
    ],
    ids=["no forest", "behind a projection", "behind quantiles"],
)
def test_anything_else_is_left_to_scikit_learn(estimator: Any) -> None:
    """Nothing is guessed about steps that are not repeated here."""
    own = choose_scorer(estimator, artifact="m")
    assert flat_scorer(estimator, own, "m") is own


def test_a_flat_forest_that_differs_is_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A difference found at load leaves scoring to scikit-learn, and one line says so."""

    class WrongForest(FlatForest):
        def decision_function(self, X: flat_scoring.FloatArray) -> flat_scoring.FloatArray:
            """Be off by more than rounding."""
            return super().decision_function(X) + 1e-11

    monkeypatch.setattr(flat_scoring, "FlatForest", WrongForest)
    estimator = forest()
    own = choose_scorer(estimator, artifact="m")
    with caplog.at_level(logging.WARNING):
        assert flat_scorer(estimator, own, "pumps/v1") is own
    (record,) = caplog.records
    assert "pumps/v1" in record.getMessage()
    assert "scikit-learn scores" in record.getMessage()
