"""Tests of replay.recordings: splits, event bodies, real recordings."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.recordings import (
    ColumnChoice,
    Recording,
    read_recording,
    reading_bodies,
    split_early,
)
from tests.recording_files import NOON_NS, SECOND_NS, Write

pytest_plugins = ["tests.recording_fixtures"]


DATA = Path(__file__).parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"real recordings are not on this machine ({DATA})"
)


def recording_of(sensor_ids: Sequence[str], times_s: Sequence[int]) -> Recording:
    """Return a recording with one feature that counts the rows."""
    n = len(sensor_ids)
    return Recording(
        source="test",
        choice=ColumnChoice("sensor_id", "time", None, ("a",), {}),
        sensor_ids=list(sensor_ids),
        event_time_ns=np.array(times_s, dtype=np.int64) * SECOND_NS,
        X=np.arange(n, dtype=np.float64).reshape(n, 1),
        y_true=None,
        times_made=False,
    )


def test_the_early_part_is_each_sensors_first_readings_in_time() -> None:
    """Thirty percent of every sensor, at least one reading, whatever the file's order."""
    recording = recording_of("qpppppppppp", [5, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0])
    fit, rest = split_early(recording)
    assert fit.tolist() == [10, 9, 8, 0]
    assert rest.tolist() == [7, 6, 5, 4, 3, 2, 1]


def test_readings_of_one_time_keep_their_file_order_in_the_rest() -> None:
    """The sort over the fleet is stable."""
    _fit, rest = split_early(recording_of("ababab", [0, 0, 1, 1, 1, 1]), share=0.1)
    assert rest.tolist() == [2, 3, 4, 5]


@given(st.lists(st.tuples(st.sampled_from("pqr"), st.integers(0, 9)), min_size=1), st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_a_split_holds_each_reading_once(readings: list[tuple[str, int]], share: float) -> None:
    """No sensor is without early readings, and none of them is later than its rest."""
    sensors, times = zip(*readings, strict=True)
    fit, rest = split_early(recording_of(sensors, times), share)
    assert sorted([*fit.tolist(), *rest.tolist()]) == list(range(len(readings)))
    for sensor in set(sensors):
        early = [times[row] for row in fit if sensors[row] == sensor]
        late = [times[row] for row in rest if sensors[row] == sensor]
        assert early
        assert not late or max(early) <= min(late)


def test_a_body_holds_the_reading_under_its_own_names(write: Write) -> None:
    """Sensor id, time with no more digits than needed, features; an empty cell is left out."""
    recording = read_recording(write("sensor_id,time,Flow Rate,b\np,0.25,1.5,\nq,1,2,1\nq,2,3,2\n"))
    bodies = reading_bodies(recording, np.array([1, 0]))
    assert [msgspec.json.decode(body) for body in bodies] == [
        {"sensor_id": "q", "timestamp": "1970-01-01T00:00:01Z", "Flow Rate": 2.0, "b": 1.0},
        {"sensor_id": "p", "timestamp": "1970-01-01T00:00:00.25Z", "Flow Rate": 1.5},
    ]


def test_progress_is_told_each_slow_step(write: Write) -> None:
    """The steps are for a person to read."""
    steps: list[str] = []
    read_recording(write("a\n1\n2\n"), progress=steps.append)
    assert steps[:2] == ["reading pump-7.csv", "choosing columns of 2 rows"]


@needs_data
def test_cmapss_gives_a_hundred_units_and_seventeen_features() -> None:
    """Counters and the seven constant columns are dropped; times are made."""
    recording = read_recording(DATA / "cmapss" / "train_FD001.csv", now_ns=NOON_NS)
    assert (len(recording), len(set(recording.sensor_ids))) == (20_631, 100)
    assert len(recording.choice.features) == 17
    constant = [name for name, why in recording.choice.ignored.items() if why == "constant"]
    assert constant == ["setting_3", *(f"sensor_{i}" for i in (1, 5, 10, 16, 18, 19))]
    assert recording.choice.ignored["time_in_cycles"] == "counter"
    assert recording.event_time_ns.max() == NOON_NS


@needs_data
def test_nab_gives_one_sensor_with_one_feature() -> None:
    """The file's stem is the sensor."""
    recording = read_recording(DATA / "nab" / "machine_temperature_system_failure.csv")
    assert recording.X.shape == (22_695, 1)
    assert set(recording.sensor_ids) == {"machine_temperature_system_failure"}
    assert next(reading_bodies(recording)) == (
        b'{"sensor_id":"machine_temperature_system_failure",'
        b'"timestamp":"2013-12-02T21:15:00Z","value":73.96732207}'
    )


@needs_data
def test_every_skab_run_gives_eight_features_and_its_labels() -> None:
    """Semicolons, a datetime column, a feature name with a space."""
    runs = sorted((DATA / "skab" / "valve1").glob("*.csv"))
    assert len(runs) == 16
    for run in runs:
        recording = read_recording(run)
        assert len(recording.choice.features) == 8
        assert "Volume Flow RateRMS" in recording.choice.features
        assert recording.choice.ignored == {"changepoint": "label"}
        assert recording.y_true is not None
        assert 0 < recording.y_true.sum() < len(recording)
