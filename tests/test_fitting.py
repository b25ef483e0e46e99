"""Tests of training.fitting: every model with every scaler, fitted, published and loaded."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scoring.artifacts import load_published
from scoring.features import FloatArray
from scoring.model_files import open_model_file
from scoring.registry import Fetched, Registry
from scoring.storage import FolderStorage
from scoring.thresholds import anomaly_scores, is_anomaly
from training.estimators import MODELS, SCALERS, FitError, FitOptions, make_estimator
from training.fitting import Artifact, fit

NAMES = ("temperature", "humidity", "noise")
CENTRE, SPREAD = np.array([20.0, 50.0, 300.0]), np.array([1.0, 10.0, 100.0])
X = np.random.default_rng(8).normal(size=(200, 3)) * SPREAD + CENTRE
X_NEW = np.random.default_rng(9).normal(size=(50, 3)) * SPREAD * 3 + CENTRE


def fitted(model: str, scaler: str = "standard", X: FloatArray = X, **options: Any) -> Artifact:
    """Fit a small model."""
    chosen = FitOptions(model=model, scaler=scaler, n_estimators=10, contamination=0.05, **options)
    return fit(X, NAMES, chosen, name="pumps", source="pumps.csv")


def own_scores(estimator: Any) -> Any:
    """Score by scikit-learn's own call of the estimator table."""
    final = estimator[-1] if hasattr(estimator, "steps") else estimator
    if type(final).__name__ == "LocalOutlierFactor":
        return estimator.score_samples(X_NEW)
    if hasattr(final, "cluster_centers_"):
        return estimator.transform(X_NEW).min(axis=1)
    return estimator.decision_function(X_NEW)


@pytest.mark.parametrize("scaler", SCALERS)
@pytest.mark.parametrize("model", MODELS)
def test_a_model_scores_from_the_registry_as_it_was_fitted(
    tmp_path: Path, model: str, scaler: str
) -> None:
    """Fitted, published, fetched and loaded: the same scores, and all that the manifest adds."""
    artifact = fitted(model, scaler)
    registry = Registry(FolderStorage(tmp_path).container("models"))
    registry.publish(artifact.manifest, artifact.data)
    found = registry.fetch("pumps", None)
    assert isinstance(found, Fetched)
    loaded = found.load()
    options = FitOptions(model=model, scaler=scaler, n_estimators=10, contamination=0.05)
    again = make_estimator(options, X).fit(X)
    assert np.array_equal(loaded.score(X_NEW), own_scores(again))
    assert loaded.features == NAMES
    assert loaded.medians is not None
    assert loaded.calibration is not None
    assert loaded.threshold is not None


@pytest.mark.parametrize("model", MODELS)
def test_contamination_is_the_share_of_training_readings_flagged(model: str) -> None:
    """It sets the threshold of every family; the two that fit a boundary do so nearly."""
    artifact = fitted(model)
    loaded = load_published(
        artifact.data, artifact.manifest, trusted=frozenset(), feature_keys=None
    )
    flagged = is_anomaly(loaded.score(X), loaded.threshold, loaded.rule)
    assert flagged is not None
    assert flagged.mean() == pytest.approx(0.05, abs=0.03)


@pytest.mark.parametrize("model", MODELS)
def test_usual_readings_score_low_and_unusual_ones_high(model: str) -> None:
    """Every family on one scale: the centre well within the usual, far off beyond the worst."""
    artifact = fitted(model)
    loaded = load_published(
        artifact.data, artifact.manifest, trusted=frozenset(), feature_keys=None
    )
    score = loaded.score(np.vstack([CENTRE, CENTRE + 20 * SPREAD]))
    assert loaded.calibration is not None
    severity = score if loaded.rule == "above" else -score
    usual, unusual = anomaly_scores(loaded.calibration, severity)
    assert usual < 0.9
    assert unusual > 0.99


def test_a_seed_makes_the_same_file() -> None:
    """And another one another."""
    digests = [fitted("isolation_forest", seed=seed).manifest.sha256 for seed in (1, 1, 2)]
    assert digests[0] == digests[1] != digests[2]


def test_readings_with_gaps_are_left_out() -> None:
    """They are counted in the manifest by their absence."""
    gaps = np.vstack([X, np.full((5, 3), np.nan), [[np.inf, 0, 0]]])
    manifest = fitted("isolation_forest", X=gaps).manifest
    assert manifest.training["n_readings"] == len(X)
    assert manifest.sha256 == fitted("isolation_forest").manifest.sha256


def test_slow_families_are_fitted_on_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chosen by the seed; the calibration is made of all readings all the same."""
    monkeypatch.setattr("training.fitting.SAMPLED", {"local_outlier_factor": 50})
    artifact = fitted("local_outlier_factor", "none")
    estimator: Any = open_model_file(artifact.data, artifact="m", kind="joblib")
    assert estimator.n_samples_fit_ == 50
    assert artifact.manifest.training["n_fitted"] == 50
    assert artifact.manifest.calibration is not None
    assert artifact.manifest.calibration.n_readings == len(X)


def test_a_version_says_when_and_which() -> None:
    """The time sorts, the digest tells two of one second apart."""
    manifest = fitted("isolation_forest").manifest
    time, _, digest = manifest.version.partition("-")
    assert time == manifest.created_at[:19].replace("-", "").replace(":", "")
    assert manifest.sha256.startswith(digest)
    assert manifest.training["source"] == "pumps.csv"


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_readings_are_told(n: int) -> None:
    """With where they come from."""
    with pytest.raises(FitError, match=r"pumps\.csv: . readings without gaps"):
        fitted("isolation_forest", X=np.vstack([X[:n], np.full((3, 3), np.nan)]))


def test_the_columns_with_most_gaps_are_named() -> None:
    """They are what to leave out; a column without gaps is not among them."""
    gaps = X[:10].copy()
    gaps[:, 1] = np.nan
    gaps[:3, 2] = np.nan
    with pytest.raises(FitError, match=r"most gaps are in 'humidity' \(100%\), 'noise' \(30%\); "):
        fitted("isolation_forest", X=gaps)


@pytest.mark.parametrize("model", MODELS)
def test_a_number_that_no_model_can_take_is_the_datas_fault(model: str) -> None:
    """Which feature holds it; no warning of an overflow, no parameter is blamed."""
    wrong = X.copy()
    wrong[5, 1] = 1e300
    with pytest.raises(FitError, match=r"pumps\.csv: feature 'humidity' holds 1e\+300"):
        fitted(model, X=wrong)


def test_a_large_number_in_a_reading_with_a_gap_does_no_harm() -> None:
    """The reading is left out anyway."""
    wrong = np.vstack([X, [[1e300, np.nan, 0.0]]])
    assert fitted("isolation_forest", X=wrong).manifest.training["n_readings"] == len(X)


def test_two_readings_are_enough_for_a_forest() -> None:
    """A newcomer's first file may be short."""
    assert fitted("isolation_forest", X=X[:2]).manifest.training["n_readings"] == 2


def test_what_scikit_learn_refuses_is_told_as_it_says() -> None:
    """Which parameter, and what it may be; no traceback."""
    options = FitOptions(n_estimators=0)
    with pytest.raises(FitError, match="'n_estimators' parameter"):
        fit(X, NAMES, options, name="m", source="pumps.csv")


@pytest.mark.parametrize("model", ["isolation_forest", "one_class_svm", "local_outlier_factor"])
def test_readings_that_are_all_alike_can_be_fitted(model: str) -> None:
    """A machine at rest is no fault."""
    artifact = fitted(model, X=np.tile(CENTRE, (30, 1)))
    assert artifact.manifest.calibration is not None
    assert len(set(artifact.manifest.calibration.points)) == 1


def test_an_envelope_of_readings_that_are_all_alike_is_told_to_be_none() -> None:
    """It has no volume; scikit-learn's own words say so."""
    with pytest.raises(FitError, match="elliptic_envelope cannot be fitted on pumps"):
        fitted("elliptic_envelope", X=np.tile(CENTRE, (30, 1)))
