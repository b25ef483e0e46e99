"""Tests of reading recordings: formats, columns, times, splits, event bodies."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.columns import column_names, listed
from replay.recordings import (
    ColumnChoice,
    Recording,
    RecordingError,
    describe,
    read_recording,
    reading_bodies,
    split_early,
)

DATA = Path(__file__).parents[2] / "shared" / "data"
NOON_NS = 1_714_564_800_000_000_000  # 2024-05-01T12:00:00Z
SECOND_NS = 1_000_000_000

Write = Callable[..., Path]

needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"real recordings are not on this machine ({DATA})"
)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file named pump-7.csv and return its path."""

    def write_file(content: str | bytes, name: str = "pump-7.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_file


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("time,a,b\n0,1.5,2\n1,2.5,3\n", id="comma"),
        pytest.param("time;a;b\n0;1.5;2\n1;2.5;3\n", id="semicolon"),
        pytest.param("time\ta\tb\n0\t1.5\t2\n1\t2.5\t3\n", id="tab"),
        pytest.param("time|a|b\n0|1.5|2\n1|2.5|3\n", id="pipe"),
        pytest.param("time;a;b\n0;1,5;2\n1;2,5;3\n", id="decimal comma"),
        pytest.param("time,a,b\r\n0,1.5,2\r\n1,2.5,3\r\n", id="Windows line ends"),
        pytest.param('"time","a","b"\n"0","1.5","2"\n"1","2.5","3"', id="quoted"),
        pytest.param(b"\xef\xbb\xbftime,a,b\n0,1.5,2\n1,2.5,3\n", id="byte order mark"),
        pytest.param("time,a,b\n0,1.5,2\n1,2.5,3\n".encode("utf-16"), id="UTF-16"),
        pytest.param("time, a , b\n0, 1.5, 2\n1, 2.5, 3\n", id="spaces around"),
        pytest.param(
            "time,a,b,note\n0,1.5,2,x;y;z\n1,2.5,3,x;y;z\n", id="another delimiter inside"
        ),
    ],
)
def test_text_is_read_whatever_its_dialect(write: Write, content: str | bytes) -> None:
    """Delimiter, decimal comma, quotes, byte order mark and encoding are detected."""
    recording = read_recording(write(content))
    assert recording.choice.features == ("a", "b")
    assert recording.X.tolist() == [[1.5, 2.0], [2.5, 3.0]]
    assert recording.event_time_ns.tolist() == [0, SECOND_NS]


def test_a_header_in_windows_encoding_is_read(write: Write) -> None:
    """A file that is no UTF-8 is taken for Windows-1252."""
    recording = read_recording(write("Temp °C,b\n1,1\n2,2\n".encode("cp1252")))
    assert recording.choice.features == ("Temp °C", "b")


def test_parquet_gives_the_same_recording_as_text(tmp_path: Path) -> None:
    """Parquet is told by its content; dates with and without zone are UTC."""
    times = [datetime(2024, 5, 1, 12, tzinfo=UTC), datetime(2024, 5, 1, 12, 0, 1, tzinfo=UTC)]
    table = pl.DataFrame(
        {"device_id": ["p", "q"], "event_time": times, "a": [1, 2], "anomaly": [False, True]}
    )
    table.write_parquet(tmp_path / "recording.data")
    recording = read_recording(tmp_path / "recording.data")
    assert recording.sensor_ids == ["p", "q"]
    assert recording.event_time_ns.tolist() == [NOON_NS, NOON_NS + SECOND_NS]
    assert recording.X.tolist() == [[1.0], [2.0]]
    assert recording.y_true is not None
    assert recording.y_true.tolist() == [False, True]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", "empty", id="no bytes"),
        pytest.param("\n\n", "empty", id="blank lines"),
        pytest.param("time,a\n", "no rows", id="header only"),
        pytest.param("a,b,a\n1,2,3\n", "'a' stands twice", id="duplicate header"),
        pytest.param("1,2.5\n3,4.5\n", "only numbers", id="no header"),
        pytest.param("a,b\n1,2\n1,2,3\n", "more fields", id="ragged row"),
        pytest.param("time,name\n0,x\n1,y\n", "no numeric column", id="only text"),
        pytest.param("time,a\n0,5\n1,5\n", "no numeric column", id="only a constant"),
        pytest.param("sensor_id,a\np,1\n,2\n", "'sensor_id', data row 2", id="no sensor id"),
        pytest.param("sensor_id,a\np,1\n  ,2\n", "'sensor_id', data row 2", id="blank sensor id"),
    ],
)
def test_an_unusable_file_is_refused_with_the_reason(
    write: Write, content: str | bytes, words: str
) -> None:
    """Every refusal names the file and what is wrong with it."""
    with pytest.raises(RecordingError, match=r"pump-7\.csv") as caught:
        read_recording(write(content))
    assert words in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """The message holds the path that was looked for."""
    with pytest.raises(RecordingError, match=r"nowhere\.csv"):
        read_recording(tmp_path / "nowhere.csv")


@pytest.mark.parametrize("name", ["sensor_id", "Device_ID", "unit_number", "station_id", "ID"])
def test_the_sensor_column_is_found_by_name(write: Write, name: str) -> None:
    """Case does not matter; numbers become text."""
    recording = read_recording(write(f"a,{name}\n1,3\n2,5\n3,3\n"))
    assert recording.choice.sensor == name
    assert recording.sensor_ids == ["3", "5", "3"]


def test_without_a_sensor_column_the_file_is_one_sensor(write: Write) -> None:
    """The file's stem is its id."""
    assert read_recording(write("a\n1\n2\n")).sensor_ids == ["pump-7", "pump-7"]


def test_an_id_that_counts_rows_is_no_sensor(write: Write) -> None:
    """Else every reading would be a sensor of its own, with nothing left to stream."""
    recording = read_recording(write("id,a\n1,5\n2,6\n3,7\n"))
    assert recording.choice.sensor is None
    assert recording.choice.ignored["id"] == "id"


def test_labels_counters_constants_and_text_are_no_features(write: Write) -> None:
    """Each ignored column is listed with the reason."""
    recording = read_recording(
        write(
            ",id,cycle,time_in_cycles,changepoint,label,anomaly,fixed,empty,state,flag,Flow Rate\n"
            "0,p,1,1,0,0,1,7,,on,true,0.5\n1,p,2,2,1,0,0,7,,off,false,0.7\n"
        )
    )
    assert recording.choice.label == "anomaly"
    assert recording.choice.features == ("Flow Rate",)
    ignored = dict(recording.choice.ignored)
    assert ignored.pop("state") == "not numeric, as data row 1 shows: 'on'"
    assert ignored == {
        "Unnamed: 0": "no name",
        "cycle": "counter",
        "time_in_cycles": "counter",
        "changepoint": "label",
        "label": "label",
        "fixed": "constant",
        "empty": "constant",
        "flag": "not numeric",
    }


def test_a_feature_with_gaps_stays_numeric(write: Write) -> None:
    """Empty cells, NaN, NA and infinities are NaN in X."""
    recording = read_recording(write("a,b\n1,1\n,2\nNaN,3\nNA,4\ninf,5\n2,6\n"))
    assert np.isnan(recording.X[:, 0]).tolist() == [False, True, True, True, True, False]


@pytest.mark.parametrize(
    ("cells", "y_true"),
    [
        pytest.param("0.0 1.0", [False, True], id="floats"),
        pytest.param("true False", [True, False], id="words"),
        pytest.param("1 1", [True, True], id="constant"),
        pytest.param("0 2", None, id="classes"),
        pytest.param("ok fault", None, id="text"),
    ],
)
def test_labels_are_zero_and_one_or_true_and_false(
    write: Write, cells: str, y_true: list[bool] | None
) -> None:
    """A column of another content is no label although it is called so."""
    first, second = cells.split()
    recording = read_recording(write(f"a,label\n1,{first}\n2,{second}\n"))
    assert (None if recording.y_true is None else recording.y_true.tolist()) == y_true


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        pytest.param("", "data row 2 is empty", id="empty"),
        pytest.param("2", "data row 2 is 2, not 0 or 1", id="number"),
        pytest.param("?", "data row 2 is '?', not 0 or 1", id="text"),
    ],
)
def test_labels_that_cannot_be_used_are_ignored_with_the_cell(
    write: Write, cell: str, why: str
) -> None:
    """A person sees which one to repair; who asks for the column is refused for the same."""
    path = write(f"a,label\n1,0\n2,{cell}\n3,1\n")
    assert read_recording(path).choice.ignored == {"label": f"label, but {why}"}
    with pytest.raises(RecordingError, match="label column 'label'") as caught:
        read_recording(path, label="label")
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        pytest.param("", None, id="nothing"),
        pytest.param(None, None, id="not given"),
        pytest.param("a, b ,c", ["a", "b", "c"], id="spaces"),
        pytest.param('"flow, out",b', ["flow, out", "b"], id="comma"),
        pytest.param('b, "5"" pipe, hot"', ["b", '5" pipe, hot'], id="quote"),
        pytest.param('5" pipe,b', ['5" pipe', "b"], id="quote inside"),
        pytest.param("a,,b,", ["a", "b"], id="empty ones"),
    ],
)
def test_names_are_read_from_a_list_by_comma(text: str | None, names: list[str] | None) -> None:
    """As in a line of CSV: a name that holds a comma stands in double quotes."""
    assert column_names(text) == names
    assert names is None or column_names(listed(names)) == names


def test_a_name_with_a_comma_is_shown_as_it_must_be_given(write: Write) -> None:
    """In the choice, and where a part of it is not found."""
    path = write('"flow, out","fixed, in",b\n1,7,1\n2,7,3\n')
    text = describe(read_recording(path).choice)
    assert 'features   2: "flow, out", b' in text
    assert 'ignored    "fixed, in" (constant)' in text
    with pytest.raises(RecordingError, match="no column 'flow'") as caught:
        read_recording(path, features=column_names("flow, out"))
    assert "double quotes around one that holds a comma" in str(caught.value)
    assert 'its columns are: "flow, out", "fixed, in", b' in str(caught.value)


def test_arguments_override_the_choice(write: Write) -> None:
    """Named columns win over the rules, in the order asked for, constants included."""
    path = write("when,machine,fixed,b,a,broken,label\n0,m1,7,1,2,1,0\n1,m2,7,3,4,0,0\n")
    recording = read_recording(
        path, features=["a", "Fixed"], time="when", sensor="machine", label="broken"
    )
    assert recording.X.tolist() == [[2.0, 7.0], [4.0, 7.0]]
    assert recording.sensor_ids == ["m1", "m2"]
    assert recording.event_time_ns.tolist() == [0, SECOND_NS]
    assert recording.y_true is not None
    assert recording.y_true.tolist() == [True, False]
    assert recording.choice.ignored == {"b": "not asked for", "label": "label"}


def test_none_as_an_override_means_no_such_column(write: Write) -> None:
    """A misleading column can be switched off."""
    path = write("sensor_id,time,label,a\n1,x,0,1\n2,y,0,2\n")
    recording = read_recording(path, sensor="none", time="none", label="none")
    assert (recording.sensor_ids, recording.y_true) == (["pump-7", "pump-7"], None)
    assert recording.times_made


@pytest.mark.parametrize(
    ("override", "words"),
    [
        pytest.param({"features": ["pressure"]}, "no column 'pressure'", id="unknown feature"),
        pytest.param({"features": ["name"]}, "data row 1 shows: 'x'", id="text as feature"),
        pytest.param({"time": "when"}, "no column 'when'", id="unknown time"),
        pytest.param({"label": "a"}, "something else than 0, 1", id="numbers as label"),
        pytest.param({"features": ["timestamp"]}, "cannot be called 'timestamp'", id="taken name"),
    ],
)
def test_a_bad_override_is_refused_listing_the_columns(
    write: Write, override: dict[str, Any], words: str
) -> None:
    """The message shows what can be named instead."""
    path = write("timestamp,name,a\n0,x,1\n1,y,2\n")
    with pytest.raises(RecordingError) as caught:
        read_recording(path, **override)
    assert words in str(caught.value)
    assert "its columns are: timestamp, name, a" in str(caught.value)


@pytest.mark.parametrize(
    "cell",
    [
        "2024-05-01 12:00:00",
        "2024-05-01T12:00:00Z",
        "2024-05-01T14:00+02:00",
        "2024-05-01 06:30:00.000-0530",
        "20240501T120000Z",
        "1714564800",
        "1714564800000",
        "1714564800000000",
        "1714564800000000000",
        "1714564800.0",
    ],
)
def test_a_time_is_iso_8601_or_a_unix_time_in_any_unit(write: Write, cell: str) -> None:
    """No zone is UTC; a number's size tells its unit."""
    assert read_recording(write(f"datetime,a\n{cell},1\n{cell},2\n")).event_time_ns[0] == NOON_NS


@pytest.mark.parametrize(
    ("cell", "after_noon_ns"),
    [
        pytest.param("2024-05-01T12:00:00.123456789Z", 123_456_789, id="text keeps ns"),
        pytest.param("2024-05-01 12:00:00,5", 500_000_000, id="comma before the fraction"),
        pytest.param("1714564800.1234564", 123_456_000, id="number rounds to us"),
        pytest.param("1714564800123.25", 123_250_000, id="ms with a fraction"),
    ],
)
def test_fractions_of_a_second_are_kept(write: Write, cell: str, after_noon_ns: int) -> None:
    """Text is exact to the ns, a fractional number to the us."""
    path = write(f"time;a\n{cell};1\n{cell};2\n")
    assert read_recording(path).event_time_ns[1] - NOON_NS == after_noon_ns


@given(st.datetimes(datetime(1700, 1, 1), datetime(2250, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis wants naive bounds
@settings(max_examples=50, deadline=None)
def test_written_times_are_read_again(
    tmp_path_factory: pytest.TempPathFactory, moment: datetime
) -> None:
    """What reading_bodies writes is the time that was read, to the last digit."""
    path = tmp_path_factory.mktemp("times") / "r.csv"
    path.write_text(f"time,a\n{moment.isoformat()},1\n{moment.isoformat()},2\n")
    recording = read_recording(path)
    body = msgspec.json.decode(next(reading_bodies(recording)))
    assert datetime.fromisoformat(body["timestamp"]) == moment


@pytest.mark.parametrize("cell", ["soon", "", "2024-13-01", "12:00:00", "1e30", "9999-01-01"])
def test_an_unreadable_time_is_refused_naming_its_row(write: Write, cell: str) -> None:
    """The row is counted from 1 below the header."""
    with pytest.raises(RecordingError, match="'time', data row 2") as caught:
        read_recording(write(f"time,a\n2024-05-01,1\n{cell},2\n2024-05-01,3\n"))
    assert "choose another time column" in str(caught.value)


def test_a_column_of_dates_is_read(tmp_path: Path) -> None:
    """A date is its midnight in UTC."""
    table = pl.DataFrame({"time": [date(2024, 5, 1), date(2024, 5, 2)], "a": [1.0, 2.0]})
    table.write_parquet(tmp_path / "r.parquet")
    assert read_recording(tmp_path / "r.parquet").event_time_ns[0] == NOON_NS - 43_200 * SECOND_NS


def test_made_times_end_now_one_second_apart_for_each_sensor(write: Write) -> None:
    """A recording without times is as if every sensor had stopped now."""
    recording = read_recording(write("id,a\np,1\nq,2\np,3\np,4\n"), now_ns=NOON_NS)
    assert recording.times_made
    assert ((recording.event_time_ns - NOON_NS) // SECOND_NS).tolist() == [-2, 0, -1, 0]


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


def test_the_choice_reads_as_a_few_lines(write: Write) -> None:
    """A person sees every column and why it is not used."""
    text = describe(read_recording(write("cycle,a,b\n1,1,2\n2,2,3\n")).choice)
    assert text.splitlines() == [
        "sensor id  no column: the whole file is one sensor",
        "time       no column: made, one second apart, ending now",
        "label      no column",
        "features   2: a, b",
        "ignored    cycle (counter)",
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
