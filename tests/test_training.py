"""Tests of training.__main__: the commands as their users run them."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

from scoring.manifest import read_manifest
from scoring.registry import Registry
from scoring.settings import SETTINGS
from scoring.storage import FolderStorage, Stored
from training.__main__ import main

ROOT = Path(__file__).parents[1]
_random = np.random.default_rng(12)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Write readings of two sensors; a column that is constant is no usual feature."""
    rows = _random.normal(size=(200, 2)) + np.array([20, 50])
    lines = [f"pump-{i % 2},{a:.3f},{b:.3f},7" for i, (a, b) in enumerate(rows)]
    path = tmp_path / "pumps.csv"
    path.write_text("\n".join(["sensor_id,temperature,humidity,pressure", *lines]))
    return path


def run(*arguments: object, data_dir: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m training` with nothing but these settings."""
    inherited = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    return subprocess.run(
        [sys.executable, "-m", "training", *map(str, arguments)],
        cwd=ROOT,
        env={**inherited, "DATA_DIR": str(data_dir), **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point the settings of this process to an empty folder."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def test_fit_and_publish_make_a_current_version(tmp_path: Path, recording: Path) -> None:
    """In two commands, as one would to look at the model in between."""
    data_dir, out = tmp_path / "data", tmp_path / "model"
    fitted = run("fit", recording, "--out", out, "--n-estimators", 10, data_dir=data_dir)
    assert (fitted.returncode, fitted.stderr.count("Traceback")) == (0, 0)
    assert "model.joblib" in fitted.stdout
    assert "temperature" in fitted.stderr  # the choice of columns is printed
    published = run("publish", out, "--name", "pumps", data_dir=data_dir)
    assert published.returncode == 0, published.stderr
    registry = Registry(FolderStorage(data_dir).container("models"))
    current = registry.current("pumps")
    assert current is not None
    assert current.version in published.stdout
    assert registry.load("pumps", current.version).features == ("temperature", "humidity")


def test_calibrate_writes_a_manifest_beside_the_artifact(tmp_path: Path, recording: Path) -> None:
    """A local file is calibrated where it is; its features are read even where constant."""
    rows = np.column_stack([_random.normal(size=(100, 2)) + np.array([20, 50]), np.full(100, 7)])
    content = {
        "model": IsolationForest(n_estimators=10, random_state=1).fit(rows),
        "features": ["temperature", "humidity", "pressure"],
    }
    path = tmp_path / "iforest.joblib"
    joblib.dump(content, path)
    ended = run("calibrate", path, "--data", recording, data_dir=tmp_path / "data")
    assert ended.returncode == 0, ended.stderr
    beside = tmp_path / "iforest.joblib.manifest.json"
    assert str(beside) in ended.stdout
    manifest = read_manifest(beside.read_bytes(), artifact="m")
    assert manifest.medians is not None
    assert manifest.medians[2] == 7
    assert manifest.calibration is not None
    assert manifest.calibration.n_readings == 200


@pytest.mark.parametrize(
    ("name", "value", "is_refused"),
    [
        ("INFLUXDB_URL", "http://influx:8086", False),
        ("FEATURE_KEYS", "a,a", False),
        ("TRUSTED_MODEL_TYPES", "plant.*", True),
        ("MODEL_CONTAINER_NAME", "M", True),
        ("STORAGE_ACCOUNT_NAME", "Read Ings", True),
        ("MODEL_REFRESH_SECONDS", "0", True),
    ],
)
def test_publish_refuses_the_settings_that_it_uses_alone(
    recording: Path,
    settings: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    value: str,
    *,
    is_refused: bool,
) -> None:
    """Who publishes a model needs no store's token."""
    monkeypatch.setenv(name, value)
    code = main(["fit", str(recording), "--publish", "--n-estimators", "5"])
    assert (code, f"{name}: " in capsys.readouterr().err) == (is_refused, is_refused)
    assert (settings / "models").exists() != is_refused


def test_a_model_is_published_into_the_container_that_is_set(
    recording: Path, settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a command uses is read."""
    monkeypatch.setenv("MODEL_CONTAINER_NAME", "plant-models")
    assert main(["fit", str(recording), "--publish", "--n-estimators", "5"]) == 0
    assert (settings / "plant-models" / "default" / "current.json").exists()


def test_calibrating_a_local_file_takes_no_storage(
    settings: Path, tmp_path: Path, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is a wrong setting of it refused; in storage it is."""
    monkeypatch.setenv("STORAGE_ACCOUNT_NAME", "Read Ings")
    path = tmp_path / "m.joblib"
    forest = IsolationForest(n_estimators=5, random_state=1).fit(_random.normal(size=(50, 2)))
    joblib.dump(forest, path)
    arguments = ["calibrate", str(path), "--data", str(recording)]
    arguments += ["--features", "humidity,temperature"]
    assert main(arguments) == 0
    assert main([*arguments, "--in-storage"]) == 1


def test_fit_can_publish_at_once(
    settings: Path, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One command for what the Makefile does."""
    assert main(["fit", str(recording), "--publish", "--n-estimators", "10"]) == 0
    assert "published default/" in capsys.readouterr().out
    assert Registry(FolderStorage(settings).container("models")).current("default") is not None


def test_calibrate_finds_an_artifact_in_storage(settings: Path, recording: Path) -> None:
    """And leaves the manifest beside it there; names come from the command."""
    models = FolderStorage(settings).container("models")
    file = io.BytesIO()
    forest = IsolationForest(n_estimators=10, random_state=1).fit(_random.normal(size=(50, 2)))
    joblib.dump(forest, file)
    models.put("teams/m.joblib", file.getvalue())
    arguments = ["calibrate", "teams/m.joblib", "--in-storage", "--data", str(recording)]
    assert main([*arguments, "--features", "humidity,temperature"]) == 0
    found = models.get("teams/m.joblib.manifest.json")
    assert isinstance(found, Stored)
    assert json.loads(found.data)["features"] == ["humidity", "temperature"]


def test_calibrate_tells_how_to_name_the_features_of_a_model_without_names(
    settings: Path, tmp_path: Path, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model fitted on an array calls them feature_1, and a recording does not."""
    path = tmp_path / "m.joblib"
    joblib.dump(IsolationForest(n_estimators=5, random_state=1).fit([[1, 2], [3, 4]]), path)
    assert main(["calibrate", str(path), "--data", str(recording)]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert "there is no column 'feature_1'" in error
    assert "with --features a,b,c or FEATURE_KEYS" in error


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fit", "missing.csv"], "missing.csv"),
        (["fit", "{recording}", "--contamination", "0.9"], "contamination 0.9"),
        (["fit", "{recording}", "--features", "speed"], "speed"),
        (["publish", "nowhere"], "manifest.json"),
        (["calibrate", "m.joblib", "--data", "{recording}"], "m.joblib"),
        (["calibrate", "m.joblib", "--in-storage", "--data", "{recording}"], "not in container"),
    ],
    ids=["file", "contamination", "column", "folder", "artifact", "storage"],
)
def test_what_goes_wrong_is_one_line_and_exit_1(
    settings: Path,
    recording: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    """What was found, and no traceback."""
    assert main([argument.format(recording=recording) for argument in arguments]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ")
    assert said in error


def test_wrong_settings_are_told(
    settings: Path,
    recording: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The same sentences that health shows."""
    monkeypatch.setenv("MODEL_REFRESH_SECONDS", "soon")
    assert main(["fit", str(recording), "--publish", "--n-estimators", "5"]) == 1
    assert "MODEL_REFRESH_SECONDS: set a number" in capsys.readouterr().err


def test_without_a_place_nothing_is_kept_and_that_is_said(
    settings: Path, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A trial needs no storage."""
    assert main(["fit", str(recording), "--n-estimators", "5"]) == 0
    assert "nothing kept" in capsys.readouterr().out
    assert not settings.exists()
