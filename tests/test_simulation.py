"""Tests of replay.simulation: its distributions, its anomalies."""

import msgspec
import numpy as np
import pytest

from replay.feature_specs import KINDS, AnomalySpec, Kind
from replay.simulation import FeatureSpec, Simulation, load_features, simulate

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
