"""Tests of training.estimators: each model by name, alone or behind a scaler."""

import numpy as np
import pytest

from training.estimators import MODELS, SCALERS, FitError, FitOptions, make_estimator

ROWS = np.random.default_rng(1).normal(size=(1_000, 3))
CLASSES = {
    "isolation_forest": "IsolationForest",
    "one_class_svm": "OneClassSVM",
    "local_outlier_factor": "LocalOutlierFactor",
    "k_means": "KMeans",
    "elliptic_envelope": "EllipticEnvelope",
}


@pytest.mark.parametrize("model", MODELS)
def test_a_model_has_the_name_of_its_class(model: str) -> None:
    """Without a scaler it is the estimator itself."""
    estimator = make_estimator(FitOptions(model=model, scaler="none"), ROWS)
    assert type(estimator).__name__ == CLASSES[model]


@pytest.mark.parametrize("scaler", [name for name, kind in SCALERS.items() if kind])
def test_a_scaler_goes_first(scaler: str) -> None:
    """In a pipeline that is one file."""
    steps = make_estimator(FitOptions(scaler=scaler), ROWS).steps
    assert [type(step).__name__ for _, step in steps] == [SCALERS[scaler], "IsolationForest"]


def test_options_reach_the_estimator() -> None:
    """Number of trees and centres, share of anomalies, seed."""
    options = FitOptions(scaler="none", contamination=0.2, n_estimators=7, n_clusters=3, seed=9)
    forest = make_estimator(options, ROWS)
    assert (forest.n_estimators, forest.contamination, forest.random_state) == (7, 0.2, 9)
    k_means = make_estimator(FitOptions(model="k_means", scaler="none", n_clusters=3), ROWS)
    assert k_means.n_clusters == 3


def test_lof_can_score_new_readings() -> None:
    """Without novelty it could not be published."""
    assert make_estimator(FitOptions(model="local_outlier_factor", scaler="none"), ROWS).novelty


def test_few_readings_have_fewer_neighbours_and_centres() -> None:
    """Otherwise scikit-learn would refuse or warn."""
    options = FitOptions(model="local_outlier_factor", scaler="none")
    assert make_estimator(options, ROWS[:5]).n_neighbors == 4
    assert make_estimator(FitOptions(model="k_means", scaler="none"), ROWS[:5]).n_clusters == 5


@pytest.mark.parametrize("scaler", SCALERS)
@pytest.mark.parametrize("contamination", [0.01, 0.05])
def test_a_one_class_svm_has_no_hole_in_the_middle(scaler: str, contamination: float) -> None:
    """The most usual reading of all is normal; scikit-learn's own width would flag it."""
    options = FitOptions(model="one_class_svm", scaler=scaler, contamination=contamination)
    estimator = make_estimator(options, ROWS).fit(ROWS)
    decision = estimator.decision_function(np.vstack([ROWS, ROWS.mean(axis=0)]))
    assert decision[-1] > np.median(decision)


@pytest.mark.parametrize(
    "options",
    [
        FitOptions(model="auto_encoder"),
        FitOptions(scaler="log"),
        FitOptions(contamination=0.0),
        FitOptions(contamination=0.51),
        FitOptions(contamination=float("nan")),
    ],
    ids=["model", "scaler", "none", "most", "NaN"],
)
def test_what_cannot_be_made_is_told(options: FitOptions) -> None:
    """With what there is to choose from."""
    with pytest.raises(FitError, match=r"choose of isolation_forest|give the share"):
        make_estimator(options, ROWS)
