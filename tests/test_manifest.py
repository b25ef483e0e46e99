"""Tests of scoring.manifest: a description that is wrong anywhere is refused by name."""

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.errors import ArtifactRejectedError
from scoring.manifest import FORMAT, CalibrationRecord, read_manifest
from scoring.thresholds import Calibration

GOOD: dict[str, Any] = {
    "format": 1,
    "name": "pumps",
    "version": "20260101T000000-0123abcd",
    "created_at": "2026-01-01T00:00:00+00:00",
    "file": "model.joblib",
    "sha256": "0" * 64,
    "estimator": "IsolationForest",
    "features": ["temperature", "humidity"],
    "threshold": 0.5,
    "medians": [1.0, 2],
    "calibration": {"points": [0.0, 0.0, 1.0], "tail_scale": 0.5, "n_readings": 3},
    "golden": {"rows": [[1.0, 2.0]], "scores": [0.1]},
    "training": {"source": "file.csv", "n_readings": 3},
}


def test_a_manifest_is_read_as_it_was_written() -> None:
    """Every field comes back; what only newer writers know is ignored."""
    manifest = read_manifest(msgspec.json.encode({**GOOD, "later": 1}), artifact="pumps/1")
    again = read_manifest(msgspec.json.encode(manifest), artifact="pumps/1")
    assert again == manifest
    assert (manifest.features, manifest.medians) == (["temperature", "humidity"], [1.0, 2.0])
    assert (manifest.anomalous, manifest.anomaly_class) == (None, None)


def test_a_calibration_survives_its_record() -> None:
    """Through JSON and back, to the last bit."""
    calibration = Calibration(np.array([0.1, 0.2, 1 / 3]), 0.7, 12)
    data = msgspec.json.encode(CalibrationRecord.of(calibration))
    again = msgspec.json.decode(data, type=CalibrationRecord).calibration()
    assert np.array_equal(again.points, calibration.points)
    assert (again.tail_scale, again.n_readings) == (0.7, 12)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"format": FORMAT + 1}, "newer"),
        ({"file": "../../etc/passwd"}, "file"),
        ({"file": "model.pkl"}, "file"),
        ({"sha256": "0" * 63}, "sha256"),
        ({"sha256": "G" * 64}, "sha256"),
        ({"features": []}, "features"),
        ({"features": ["a", "a"]}, "named twice"),
        ({"features": "a,b"}, "features"),
        ({"threshold": "0.5"}, "threshold"),
        ({"anomalous": "beyond"}, "anomalous"),
        ({"medians": [1.0]}, "1 medians, 2 features"),
        ({"calibration": {"points": [], "tail_scale": 0, "n_readings": 1}}, "points"),
        ({"calibration": {"points": [1, 0], "tail_scale": 0, "n_readings": 2}}, "not ascending"),
        ({"calibration": {"points": [1], "tail_scale": -1, "n_readings": 2}}, "tail_scale"),
        ({"calibration": {"points": [1], "tail_scale": 1, "n_readings": 0}}, "n_readings"),
        ({"golden": {"rows": [[1.0, 2.0]], "scores": []}}, "golden rows"),
        ({"golden": {"rows": [[1.0]], "scores": [0.1]}}, "golden rows"),
        ({"golden": {"rows": [], "scores": []}}, "golden.rows"),
        ({"name": None}, "name"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_field_is_refused_and_named(change: dict[str, Any], named: str) -> None:
    """Together with the version it belongs to."""
    data = msgspec.json.encode({**GOOD, **change})
    with pytest.raises(ArtifactRejectedError, match=rf"pumps/1 refused.*{named}"):
        read_manifest(data, artifact="pumps/1")


@pytest.mark.parametrize("field", ["name", "version", "file", "sha256", "estimator", "features"])
def test_a_missing_field_is_refused_and_named(field: str) -> None:
    """What has no default has to be there."""
    data = msgspec.json.encode({key: value for key, value in GOOD.items() if key != field})
    with pytest.raises(ArtifactRejectedError, match=field):
        read_manifest(data, artifact="pumps/1")


@pytest.mark.parametrize("number", [b"1e999", b"NaN", b"Infinity"])
def test_numbers_that_are_not_finite_are_refused(number: bytes) -> None:
    """A threshold of infinity would switch every alarm off."""
    data = msgspec.json.encode(GOOD).replace(b'"threshold":0.5', b'"threshold":' + number)
    with pytest.raises(ArtifactRejectedError):
        read_manifest(data, artifact="pumps/1")


@given(st.binary())
def test_bytes_that_are_no_manifest_are_refused(data: bytes) -> None:
    """Whatever they are, and never with another exception; the file is untrusted."""
    with pytest.raises(ArtifactRejectedError):
        read_manifest(data, artifact="pumps/1")


def test_a_deeply_nested_manifest_is_refused() -> None:
    """It must not take the process with it."""
    deep = b'{"training":{"a":' + b"[" * 100_000
    with pytest.raises(ArtifactRejectedError):
        read_manifest(deep, artifact="pumps/1")
