"""Tests of training.calibration: a bare artifact gets what it lacks, and stays as it is."""

import io
import json
from pathlib import Path
from typing import Any

import joblib
import msgspec
import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor

from scoring.app import build_app
from scoring.artifacts import load_bare
from scoring.errors import ArtifactRejectedError
from scoring.manifest import read_manifest
from scoring.registry import LoadOptions, beside_path
from scoring.settings import load_settings
from scoring.storage import FolderStorage
from training.calibration import artifact_features, calibrate_artifact
from training.estimators import FitError

NAMES = ("temperature", "humidity")
X = np.random.default_rng(2).normal(size=(300, 2)) + np.array([20, 50])
FOREST = IsolationForest(n_estimators=20, random_state=1).fit(X)


def dumped(content: Any) -> bytes:
    """Return a model file."""
    file = io.BytesIO()
    joblib.dump(content, file)
    return file.getvalue()


DATA = dumped({"model": FOREST, "features": list(NAMES), "threshold": 0.6})


def test_a_calibrated_file_scores_and_decides_as_before() -> None:
    """What is added is `anomaly_score`, `cause` and medians."""
    manifest = calibrate_artifact(DATA, "m.joblib", X, NAMES, source="x.csv")
    again = read_manifest(msgspec.json.encode(manifest), artifact="m")
    options: dict[str, Any] = {"name": "m", "trusted": frozenset(), "feature_keys": None}
    before = load_bare(DATA, "m.joblib", **options)
    after = load_bare(DATA, "m.joblib", **options, beside=again)
    assert np.array_equal(before.score(X), after.score(X))
    assert (before.threshold, before.rule) == (after.threshold, after.rule)
    assert (before.calibration, before.medians) == (None, None)
    assert after.calibration is not None
    assert after.medians is not None
    assert after.medians.tolist() == np.median(X, axis=0).tolist()


def test_columns_are_picked_by_name() -> None:
    """A recording may hold more, and in another order."""
    wider = np.column_stack([X[:, 1], np.zeros(len(X)), X[:, 0]])
    names = ("humidity", "other", "temperature")
    manifest = calibrate_artifact(DATA, "m.joblib", wider, names, source="x.csv")
    assert manifest.features == list(NAMES)
    assert (
        manifest.calibration
        == calibrate_artifact(DATA, "m.joblib", X, NAMES, source="x.csv").calibration
    )


def test_a_missing_column_is_named() -> None:
    """Together with those that there are."""
    with pytest.raises(FitError, match=r"x\.csv has no column 'humidity'.*temperature"):
        calibrate_artifact(DATA, "m.joblib", X[:, :1], NAMES[:1], source="x.csv")


def test_readings_with_gaps_alone_are_told() -> None:
    """There is nothing to calibrate with."""
    with pytest.raises(FitError, match="no reading without gaps"):
        calibrate_artifact(DATA, "m.joblib", X * np.nan, NAMES, source="x.csv")


def test_a_number_that_no_model_can_take_is_told() -> None:
    """A column that the model does not need may hold it."""
    wrong = np.column_stack([X, np.zeros(len(X))])
    wrong[3, 2] = 1e300
    names = (*NAMES, "other")
    manifest = calibrate_artifact(DATA, "m.joblib", wrong, names, source="x.csv")
    assert manifest.training["n_readings"] == len(X)
    wrong[3, 0] = -1e300
    with pytest.raises(FitError, match=r"x\.csv: feature 'temperature' holds -1e\+300"):
        calibrate_artifact(DATA, "m.joblib", wrong, names, source="x.csv")


def test_a_file_that_does_not_load_is_refused() -> None:
    """Under the same rules as in the app."""
    with pytest.raises(ArtifactRejectedError, match="novelty=False"):
        calibrate_artifact(
            dumped(LocalOutlierFactor().fit(X)), "m.joblib", X, NAMES, source="x.csv"
        )


def test_features_are_those_that_the_app_will_use() -> None:
    """FEATURE_KEYS goes before the file here as there."""
    assert artifact_features(DATA, "m.joblib", LoadOptions()) == NAMES
    k_means = dumped(KMeans(2, n_init=1, random_state=1).fit(X))
    options = LoadOptions(feature_keys=("a", "b"))
    assert artifact_features(k_means, "m.joblib", options) == ("a", "b")
    manifest = calibrate_artifact(k_means, "m", X, ("a", "b"), source="x", options=options)
    assert manifest.features == ["a", "b"]


def test_the_app_gives_anomaly_score_and_cause_with_it(tmp_path: Path) -> None:
    """The whole way: a file in the container, calibrated, and a reading over HTTP."""
    models = FolderStorage(tmp_path).container("models")
    models.put("m.joblib", DATA)
    settings = load_settings({"DATA_DIR": str(tmp_path), "MODEL_FILE_PATH": "m.joblib"})
    reading = json.dumps({"temperature": 20, "humidity": 80}).encode()

    def scored() -> dict[str, Any]:
        response = build_app(settings).http.score(reading, {})
        return dict(json.loads(response.body())["scored"][0])

    without = scored()
    assert (without["is_anomaly"], without["anomaly_score"], without["cause"]) == (True, None, None)
    manifest = calibrate_artifact(DATA, "m.joblib", X, NAMES, source="x.csv")
    models.put(beside_path("m.joblib"), msgspec.json.encode(manifest))
    calibrated = scored()
    assert calibrated["score"] == without["score"]
    assert calibrated["anomaly_score"] > 0.99
    assert calibrated["cause"][0]["feature"] == "humidity"
