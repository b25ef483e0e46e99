"""Tests of replay.times: the time of each reading, read or made."""

from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.recordings import (
    RecordingError,
    read_recording,
    reading_bodies,
)
from tests.recording_files import NOON_NS, SECOND_NS, Write

pytest_plugins = ["tests.recording_fixtures"]


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
