"""Tests of replay.tables: a file is read whatever its form, or refused with the reason."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from replay.recordings import (
    RecordingError,
    read_recording,
)
from tests.recording_files import NOON_NS, SECOND_NS, Write

pytest_plugins = ["tests.recording_fixtures"]


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
