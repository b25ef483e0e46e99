"""Tests of replay.columns: which column is the sensor, the label, a feature."""

from typing import Any

import numpy as np
import pytest

from replay.columns import column_names, listed
from replay.recordings import RecordingError, describe, read_recording
from tests.recording_files import SECOND_NS, Write

pytest_plugins = ["tests.recording_fixtures"]


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
