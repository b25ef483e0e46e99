"""Tests of `python -m replay simulate`: its files, its plot, its output, its errors."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from replay.__main__ import main
from replay.recordings import read_recording


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that ``simulate --out`` has written."""
    folder = tmp_path_factory.mktemp("simulated") / "new"
    arguments = ["--stations", "3", "--steps", "1000", "--anomaly-rate", "0.1", "--seed", "5"]
    assert main(["simulate", *arguments, "--out", str(folder)]) == 0
    return folder


def test_the_files_hold_half_a_quarter_and_a_quarter(written: Path) -> None:
    """Train comes first and is clean; the others hold anomalies, and time goes on."""
    parts = [read_recording(written / f"{name}.csv") for name in ("train", "validation", "test")]
    assert [len(part) for part in parts] == [1500, 750, 750]
    labels = [part.y_true for part in parts]
    assert all(y_true is not None for y_true in labels)
    assert [bool(y_true is not None and y_true.any()) for y_true in labels] == [False, True, True]
    ends = [(part.event_time_ns.min(), part.event_time_ns.max()) for part in parts]
    assert ends[1][0] - ends[0][1] == ends[2][0] - ends[1][1] == 1_000_000_000


def test_the_files_columns_are_chosen_as_they_were_written(written: Path) -> None:
    """A simulation needs no override: the kind of an anomaly is no feature."""
    recording = read_recording(written / "test.csv")
    assert recording.choice.features == ("temperature", "humidity", "noise")
    assert (recording.choice.sensor, recording.choice.label) == ("sensor_id", "anomaly")
    assert recording.choice.ignored == {"anomaly_kind": "label"}
    header = (written / "test.csv").read_text().splitlines()[0]
    assert header == "sensor_id,timestamp,temperature,humidity,noise,anomaly,anomaly_kind"


def test_the_plot_is_a_picture_with_a_panel_for_each_feature(written: Path) -> None:
    """Three panels on white: wide, and neither empty nor full."""
    with Image.open(written / "plot.png") as picture:
        pixels = np.asarray(picture.convert("L"))
    assert pixels.shape[1] == 1440
    assert 0.02 < (pixels < 250).mean() < 0.5


def test_simulate_prints_readings_one_a_line(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Standard output holds nothing but readings, from the given start."""
    arguments = ["--stations", "2", "--steps", "300", "--start", "2024-05-01"]
    assert main(["simulate", *arguments]) == 0
    lines = capfdbinary.readouterr().out.splitlines()
    assert len(lines) == 600
    first = msgspec.json.decode(lines[0])
    assert (first["sensor_id"], first["timestamp"]) == ("station-01", "2024-05-01T00:00:00Z")
    assert set(first) == {"sensor_id", "timestamp", "temperature", "humidity", "noise"}


def test_a_reader_that_leaves_early_is_no_error() -> None:
    """As in ``python -m replay simulate | head``."""
    process = subprocess.Popen(
        [sys.executable, "-m", "replay", "simulate", "--steps", "100000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": "."},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert (process.wait(60), errors) == (0, b"")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--steps", "0"],
        ["--anomaly-rate", "1"],
        ["--interval", "-1"],
        ["--steps", "3", "--out", "x"],
    ],
)
def test_a_bad_option_is_refused_with_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is 2, as everywhere."""
    with pytest.raises(SystemExit, match="2"):
        main(["simulate", *arguments])
    assert "usage: python -m replay simulate" in capsys.readouterr().err


def test_a_bad_features_file_ends_the_command_with_its_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No traceback."""
    assert main(["simulate", "--features", str(tmp_path / "none.toml")]) == 1
    assert "none.toml" in capsys.readouterr().err
