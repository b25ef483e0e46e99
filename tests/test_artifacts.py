"""Tests of scoring.artifacts: a model file becomes a model that is ready, or is refused."""

import hashlib
from typing import Any

import msgspec
import numpy as np
import pytest
import skops.io
from sklearn.ensemble import ExtraTreesRegressor, IsolationForest, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from scoring.errors import ArtifactRejectedError
from scoring.manifest import Manifest
from tests.loaded_artifacts import FOREST, NAMES, PUBLISHED, X_NEW, X, bare, dumped, published
from training.calibration import calibrate_artifact
from training.fitting import describe

replace = msgspec.structs.replace


def test_a_published_version_is_ready_with_all_its_manifest_says() -> None:
    """Names, features, calibration and medians; scores as fitted."""
    model = published()
    assert (model.name, model.version) == ("pumps", PUBLISHED.manifest.version)
    assert model.features == NAMES
    assert np.array_equal(model.score(X_NEW), FOREST.decision_function(X_NEW))
    assert model.calibration is not None
    assert model.medians is not None
    assert model.medians == pytest.approx(np.median(X, axis=0))
    assert (model.method, model.rule, model.threshold) == ("decision_function", "below", 0.0)


def test_a_bare_artifact_is_ready_without_a_manifest() -> None:
    """Its version is the start of its SHA-256; it has neither calibration nor medians."""
    data = dumped(FOREST)
    model = bare(data)
    assert model.version == hashlib.sha256(data).hexdigest()[:12]
    assert (model.calibration, model.medians) == (None, None)
    assert model.features == ("feature_1", "feature_2")
    assert np.array_equal(model.score(X_NEW), FOREST.decision_function(X_NEW))


def test_a_skops_file_is_told_by_its_name() -> None:
    """Both layouts take one; the format is never guessed."""
    data = skops.io.dumps(FOREST)
    assert np.array_equal(bare(data, "m.skops").score(X_NEW), FOREST.decision_function(X_NEW))
    with pytest.raises(ArtifactRejectedError):
        bare(data, "m.joblib")
    manifest = replace(
        PUBLISHED.manifest, file="model.skops", sha256=hashlib.sha256(data).hexdigest()
    )
    assert np.array_equal(published(manifest, data).score(X_NEW), FOREST.decision_function(X_NEW))


def test_a_file_that_is_not_the_manifests_is_refused() -> None:
    """Before anything in it is looked at."""
    with pytest.raises(ArtifactRejectedError, match="SHA-256 differs"):
        published(data=PUBLISHED.data + b"x")


def test_another_model_does_not_pass_as_the_one_described() -> None:
    """The golden rows tell, even where the hash was made to fit."""
    other = IsolationForest(n_estimators=10, random_state=2).fit(X)
    data = dumped(other)
    manifest = replace(PUBLISHED.manifest, sha256=hashlib.sha256(data).hexdigest())
    with pytest.raises(ArtifactRejectedError, match="golden rows"):
        published(manifest, data)


def test_scoring_stays_on_one_thread() -> None:
    """More cost more than they give below thousands of rows."""
    estimator = IsolationForest(n_estimators=5, n_jobs=-1, random_state=1).fit(X)
    model = bare({"pipeline": make_pipeline(StandardScaler(), estimator).fit(X)})
    assert model.estimator[-1].n_jobs == 1


def test_a_manifests_threshold_is_on_the_scale_of_score() -> None:
    """It goes before the estimator's own and before one in the file."""
    model = published(replace(PUBLISHED.manifest, threshold=-0.05))
    assert (model.threshold, model.threshold_scale) == (-0.05, "manifest, as score")


def test_a_manifest_cannot_turn_a_detectors_sign_round() -> None:
    """Only a prediction may be anomalous below its threshold."""
    assert published(replace(PUBLISHED.manifest, anomalous="above")).rule == "below"
    regressor = LinearRegression().fit(X, X[:, 0])
    described = describe(regressor, X, NAMES, name="life", training={}, contamination=0.01)
    manifest = replace(described.manifest, anomalous="below")
    assert published(manifest, described.data).rule == "below"
    assert published(described.manifest, described.data).rule == "above"


def test_a_manifest_names_the_class_that_is_the_anomaly() -> None:
    """For classifiers whose file does not say."""
    words = np.where(X[:, 0] > 1, "bearing", "fine")
    classifier = GaussianNB().fit(X, words)
    data = dumped(classifier)
    manifest = replace(
        PUBLISHED.manifest,
        sha256=hashlib.sha256(data).hexdigest(),
        anomaly_class="bearing",
        golden=None,
    )
    own = classifier.predict_proba(X_NEW)[:, 0]
    assert np.array_equal(published(manifest, data).score(X_NEW), own)


def calibrated(data: bytes) -> Manifest:
    """Describe a bare artifact as `python -m training calibrate` does."""
    return calibrate_artifact(data, "m.joblib", X, ("feature_1", "feature_2"), source="x.csv")


def test_the_manifest_beside_a_bare_artifact_is_used() -> None:
    """It adds calibration and medians, and changes no score."""
    data = dumped(FOREST)
    model = bare(data, beside=calibrated(data))
    assert model.calibration is not None
    assert model.medians is not None
    assert model.notes == ()
    assert np.array_equal(model.score(X_NEW), FOREST.decision_function(X_NEW))


def test_the_manifest_of_another_file_is_left_aside_and_noted() -> None:
    """A file that was replaced scores on without calibration, and its owner is told."""
    data = dumped(IsolationForest(n_estimators=10, random_state=9).fit(X))
    model = bare(data, beside=calibrated(dumped(FOREST)))
    assert (model.calibration, model.medians) == (None, None)
    assert any("python -m training calibrate" in note for note in model.notes)


def test_another_version_of_scikit_learn_is_noted() -> None:
    """It is told once at load; the golden rows decide whether the model is right."""
    data = dumped(FOREST)
    import sklearn

    other = data.replace(sklearn.__version__.encode(), b"1.8.9")
    assert other != data
    model = bare(other)
    assert any("1.8.9" in note for note in model.notes)
    assert published().notes == ()


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "damaged"),
        (b"not a model", "damaged"),
        (PUBLISHED.data[:-100], "damaged"),
        ([1, 2, 3], "does not say its features"),
        ({"model": LocalOutlierFactor().fit(X)}, "novelty=False"),
        (IsolationForest(), "IsolationForest"),
        ({"model": FOREST, "scaler": StandardScaler().fit(np.eye(3))}, "takes 2 columns"),
    ],
    ids=["empty", "text", "truncated", "list", "LOF", "not fitted", "scaler"],
)
def test_what_cannot_score_is_refused(content: Any, found: str) -> None:
    """With a reason, and nothing but `ArtifactRejectedError`."""
    with pytest.raises(ArtifactRejectedError, match=found):
        bare(content)


def test_filling_from_training_needs_medians() -> None:
    """MISSING_FEATURES=median is an error for a model that has none, and says what to do."""
    with pytest.raises(ArtifactRejectedError, match="no training medians"):
        bare(FOREST, needs_medians=True)
    assert published(needs_medians=True).medians is not None


def test_the_manifest_beside_a_bare_artifact_names_its_anomaly_class() -> None:
    """As a published one does."""
    labels = np.where(X[:, 0] > 0, "good", "worn")
    data = dumped(LogisticRegression().fit(X, labels))
    digest = hashlib.sha256(data).hexdigest()
    beside = calibrated(dumped(FOREST))
    beside = replace(beside, sha256=digest, golden=None, anomaly_class="worn")
    model = bare(data, beside=beside)
    assert model.score(np.array([[-5.0, 0.0]]))[0] > 0.5


@pytest.mark.parametrize(
    "around",
    [
        {"threshold_scale": np.array([1.0, 2.0])},
        {"features": np.array(5.0)},
        {"threshold": [1, 2]},
        {"features": ["\ud800", "humidity"]},
    ],
    ids=["a scale", "no names", "two thresholds", "half a surrogate pair"],
)
def test_whatever_stands_in_a_dict_it_is_one_clear_refusal(around: dict[str, Any]) -> None:
    """Arrays compare by element, and texts may be none: NumPy and Python raise on them."""
    with pytest.raises(ArtifactRejectedError):
        bare({"model": FOREST, **around})


def test_an_estimator_without_its_parameters_is_refused() -> None:
    """scikit-learn asks for them when it is asked what the estimator is."""
    broken = ExtraTreesRegressor(2, random_state=1).fit(X, X[:, 0])
    del broken.estimator
    with pytest.raises(ArtifactRejectedError, match="cannot be used: AttributeError"):
        bare(broken)


def test_a_model_that_was_fitted_aloud_scores_in_silence(capfd: pytest.CaptureFixture[str]) -> None:
    """A forest with verbose set would print lines for every batch."""
    loud = RandomForestRegressor(3, verbose=2, random_state=1)
    model = bare(loud.fit(X, X[:, 0]))
    capfd.readouterr()
    model.score(X_NEW)
    assert capfd.readouterr() == ("", "")
