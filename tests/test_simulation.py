"""Tests of the simulation: its distributions, its anomalies, its features file, its files."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from replay.__main__ import main
from replay.feature_specs import KINDS, AnomalySpec, Kind
from replay.recordings import read_recording, reading_bodies
from replay.simulation import (
    FeaturesFileError,
    FeatureSpec,
    Simulation,
    load_features,
    simulate,
)

NO_NOISE = {"noise": 0.0, "station_spread": 0.0}
SIZES: dict[Kind, tuple[float, float]] = {
    "spike": (5.0, 5.0),
    "level_shift": (5.0, 5.0),
    "drift": (5.0, 5.0),
    "stuck": (0.0, 0.0),
}


def spec_of(**fields: object) -> FeatureSpec:
    """Return a feature called a, with mean 10 and spread 2 unless told otherwise."""
    return msgspec.convert({"name": "a", "mean": 10.0, "spread": 2.0, **fields}, FeatureSpec)


def with_anomaly(kind: Kind, **fields: object) -> FeatureSpec:
    """Return a feature with one kind of anomaly that lasts 40 readings of a second."""
    anomaly = AnomalySpec(kind, rate=0.2, duration_s=(40.0, 40.0), size=SIZES[kind])
    return msgspec.structs.replace(spec_of(**NO_NOISE, **fields), anomalies=(anomaly,))


def first_anomaly(spec: FeatureSpec) -> tuple[slice, np.ndarray, np.ndarray]:
    """Return where the first whole anomaly is, the readings, and the same without anomalies."""
    dirty = simulate([spec], 1, 2000, seed=1)
    clean = simulate([spec], 1, 2000, seed=1, clean=True)
    start = int(np.argmax(dirty.kinds >= 0))
    return slice(start, start + 40), dirty.X[:, 0], clean.X[:, 0]


def test_the_same_seed_gives_the_same_readings() -> None:
    """Another seed gives others."""
    specs = load_features()
    one, same, other = (simulate(specs, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.X, same.X)
    assert not np.array_equal(one.X, other.X)


@pytest.mark.parametrize("chunks", [(1000,), (1,) * 20 + (980,), (333, 333, 334)])
def test_chunks_give_the_same_readings_as_one_long_run(chunks: tuple[int, ...]) -> None:
    """The walk, the noise and the anomalies are carried from chunk to chunk."""
    whole = Simulation(load_features(), seed=9, anomaly_rate=0.3).next(1000)
    simulation = Simulation(load_features(), seed=9, anomaly_rate=0.3)
    parts = [simulation.next(n) for n in chunks]
    assert np.array_equal(np.vstack([part.X for part in parts]), whole.X)
    assert np.array_equal(np.concatenate([part.kinds for part in parts]), whole.kinds)
    assert np.array_equal(
        np.concatenate([part.event_time_ns for part in parts]), whole.event_time_ns
    )


def test_readings_stand_in_time_order_station_by_station() -> None:
    """Each step holds one reading of every station, `interval_s` after the one before."""
    recording = simulate(load_features(), 2, 3, interval_s=0.5, start_ns=10**18)
    assert recording.sensor_ids == ["station-01", "station-02"] * 3
    assert (recording.event_time_ns - 10**18).tolist() == [
        0,
        0,
        500_000_000,
        500_000_000,
        1_000_000_000,
        1_000_000_000,
    ]


def test_the_walk_has_its_mean_and_spread_in_the_long_run() -> None:
    """Over 2,000 return times of 50 stations, mean and deviation are those of the file."""
    values = simulate([spec_of(**NO_NOISE, return_time_s=10)], 50, 20_000, clean=True).X
    assert values.mean() == pytest.approx(10.0, abs=0.05)
    assert values.std() == pytest.approx(2.0, rel=0.02)


def test_the_walk_does_not_wander_off() -> None:
    """Late readings are as close to the mean as early ones, unlike those of a plain sum."""
    values = simulate([spec_of(**NO_NOISE, return_time_s=100)], 200, 10_000, clean=True).X
    by_step = values.reshape(10_000, 200)
    assert by_step[-1].std() == pytest.approx(by_step[0].std(), rel=0.2)
    assert np.abs(by_step - 10.0).max() < 6 * 2.0


def test_the_walk_forgets_within_its_return_time() -> None:
    """The correlation of readings one return time apart is 1/e."""
    values = simulate([spec_of(**NO_NOISE, return_time_s=20)], 100, 5000, clean=True).X
    walk = values.reshape(5000, 100) - 10.0
    correlation = (walk[:-20] * walk[20:]).mean() / (walk**2).mean()
    assert correlation == pytest.approx(np.exp(-1), abs=0.03)


def test_each_station_has_its_own_offset() -> None:
    """The stations' means differ by `station_spread`, one station's readings by `spread`."""
    spec = spec_of(noise=0.0, station_spread=50.0, return_time_s=1)
    means = simulate([spec], 300, 500, clean=True).X.reshape(500, 300).mean(axis=0)
    assert means.std() == pytest.approx(50.0, rel=0.15)


def test_a_daily_cycle_peaks_at_its_hour() -> None:
    """The hour is UTC."""
    spec = spec_of(**NO_NOISE, spread=1e-6, daily_amplitude=3.0, daily_peak_h=15.0)
    values = simulate([spec], 1, 24, interval_s=3600).X[:, 0]
    assert values.argmax() == 15
    assert values.max() == pytest.approx(13.0, abs=1e-4)
    assert values.min() == pytest.approx(7.0, abs=1e-4)


def test_no_reading_is_outside_the_physical_bounds() -> None:
    """Walk, offsets, noise and anomalies stay within minimum and maximum."""
    specs = [
        msgspec.structs.replace(s, minimum=9.0, maximum=12.0) for s in map(with_anomaly, KINDS)
    ]
    values = simulate(specs, 10, 2000).X
    assert values.min() >= 9.0
    assert values.max() <= 12.0


def test_a_sensor_gives_its_number_of_decimals() -> None:
    """Readings are rounded as the sensor does."""
    values = simulate([spec_of(decimals=1)], 2, 100).X
    assert np.array_equal(values, np.round(values, 1))


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.2, 0.6])
def test_the_share_of_anomalous_readings_is_the_rate(rate: float) -> None:
    """The rate counts readings, not anomalies, however long they last."""
    recording = simulate(load_features(), 50, 20_000, anomaly_rate=rate)
    assert recording.y_true is not None
    assert recording.y_true.mean() == pytest.approx(rate, rel=0.1)


def test_each_kind_has_the_share_that_the_file_gives_it() -> None:
    """All four kinds happen, on every feature."""
    recording = simulate(load_features(), 100, 30_000)
    shares = {kind: (recording.kinds == i).mean() for i, kind in enumerate(KINDS)}
    expected = {"spike": 0.002, "level_shift": 0.006, "drift": 0.006, "stuck": 0.006}
    assert shares == pytest.approx(expected, rel=0.2)
    assert set(recording.columns.tolist()) == {-1, 0, 1, 2}


def test_only_labelled_readings_differ_from_the_clean_run() -> None:
    """A label stands at each reading that was changed, in the column that was."""
    dirty = simulate(load_features(), 5, 5000, seed=4)
    clean = simulate(load_features(), 5, 5000, seed=4, clean=True)
    changed = dirty.X != clean.X
    labelled = dirty.columns[:, np.newaxis] == np.arange(3)
    assert changed.any()
    assert not (changed & ~labelled).any()
    assert clean.y_true is not None
    assert not clean.y_true.any()


@pytest.mark.parametrize("kind", ["spike", "level_shift"])
def test_spikes_and_level_shifts_add_one_value(kind: Kind) -> None:
    """The size counts standard deviations: five of 2.0."""
    where, dirty, clean = first_anomaly(with_anomaly(kind))
    assert np.abs(dirty - clean)[where] == pytest.approx(np.full(40, 10.0))


def test_a_drift_grows_evenly_to_its_size() -> None:
    """The last of its readings is off by all of it."""
    where, dirty, clean = first_anomaly(with_anomaly("drift"))
    assert np.abs(dirty - clean)[where] == pytest.approx(np.arange(1, 41) / 40 * 10.0)


def test_a_stuck_sensor_repeats_one_value() -> None:
    """The value is the one at which it got stuck."""
    where, dirty, clean = first_anomaly(with_anomaly("stuck"))
    assert set(dirty[where].tolist()) == {clean[where.start]}


def test_a_bound_does_not_swallow_an_anomaly() -> None:
    """Where there is no room above, the anomaly goes down."""
    spec = with_anomaly("level_shift", maximum=10.0, minimum=-50.0)
    recording = simulate([spec], 5, 2000)
    assert recording.X[recording.kinds >= 0].max() <= 10.0 - 5.0 * 2.0 + 6 * 2.0
    assert recording.X[recording.kinds >= 0].mean() < 4.0


def test_taking_rows_takes_their_labels_too() -> None:
    """The kinds stay with their readings."""
    recording = simulate(load_features(), 2, 500, anomaly_rate=0.5)
    rows = np.flatnonzero(recording.kinds >= 0)[::-1]
    assert recording.take(rows).kind_names() == [KINDS[i] for i in recording.kinds[rows].tolist()]


def test_a_feature_needs_only_mean_and_spread(tmp_path: Path) -> None:
    """A table added to the file is simulated, anomalies included, with no other edit."""
    file = tmp_path / "features.toml"
    default = (Path("replay") / "features.toml").read_text(encoding="utf-8")
    file.write_text(default + "\n[features.pressure]\nmean = 3.1\nspread = 0.2\n")
    recording = simulate(load_features(file), 3, 5000)
    assert recording.choice.features == ("temperature", "humidity", "noise", "pressure")
    assert recording.X[:, 3].mean() == pytest.approx(3.1, abs=0.5)
    assert 3 in recording.columns
    assert "pressure" in msgspec.json.decode(next(reading_bodies(recording)))


@pytest.mark.parametrize(
    ("content", "field", "words"),
    [
        pytest.param("[features.a]\nmean=1", "features.a", "`spread`", id="missing"),
        pytest.param(
            "[features.a]\nmean=1\nspread=0", "features.a.spread", "> 0", id="zero spread"
        ),
        pytest.param("[features.a]\nmean='x'\nspread=1", "features.a.mean", "float", id="text"),
        pytest.param("[features.a]\nmaen=1", "features.a", "`maen`", id="typing error"),
        pytest.param(
            "[features.a]\nmean=1\nspread=1\nminimum=2", "features.a", "mean: must lie", id="bounds"
        ),
        pytest.param("[features.time]\nmean=1\nspread=1", "features.time", "name", id="taken name"),
        pytest.param("[features]\na = 1", "features", "object", id="no table"),
        pytest.param("", "features", "no table such as", id="empty"),
        pytest.param("[feature.a]\nmean=1\nspread=1", "feature", "no such table", id="other table"),
        pytest.param("features = [", "file", "no TOML", id="no TOML"),
        pytest.param(
            "[features.a]\nmean=1\nspread=1\n[anomalies.blip]\nrate=0.1\nduration_s=[1,2]",
            "anomalies.blip.kind",
            "blip",
            id="unknown kind",
        ),
        pytest.param(
            "[features.a]\nmean=1\nspread=1\n[anomalies.stuck]\nrate=0.1\nduration_s=[3,2]",
            "anomalies.stuck",
            "duration_s",
            id="duration reversed",
        ),
        pytest.param(
            "[features.a]\nmean=1\nspread=1\n[anomalies.stuck]\nrate=0.6\nduration_s=[1,2]\n"
            "[anomalies.spike]\nrate=0.6\nduration_s=[1,2]\nsize=[1,2]",
            "anomalies",
            "below 1",
            id="rates",
        ),
    ],
)
def test_a_bad_features_file_is_refused_naming_the_field(
    tmp_path: Path, content: str, field: str, words: str
) -> None:
    """The message says where and what."""
    file = tmp_path / "mine.toml"
    file.write_text(content)
    with pytest.raises(FeaturesFileError, match=r"mine\.toml") as caught:
        load_features(file)
    assert caught.value.field == field
    assert words in str(caught.value)


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
