"""Turns a column of times into event times in nanoseconds."""

from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from replay.tables import RecordingError

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

NS_A_SECOND = 1_000_000_000
LARGEST_NS = np.iinfo(np.int64).max  # the year 2262
# A number below the first value is in the unit whose length in ns is the second (contracts).
UNITS = ((1e11, 10**9), (1e14, 10**6), (1e17, 10**3))
ISO_8601 = (
    r"^\s*(?P<date>\d{4}-\d{2}-\d{2})"
    r"(?:[T ](?P<minute>\d{2}:\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9})\d*)?)?)?"
    r"\s*(?P<zone>[Zz]|[+-]\d{2}(?::?\d{2})?)?\s*$"
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def event_times(source: str, column: pl.Series) -> IntArray:
    """Read a time column.

    Parameters
    ----------
    source : str
        The file, for the error.
    column : polars.Series
        Dates, ISO 8601 text (no zone: UTC) or numbers (absolute value below 1e11 seconds, below
        1e14 ms, below 1e17 us, else ns; fractions are rounded to us).

    Returns
    -------
    ndarray of shape (n_readings,), int64
        Nanoseconds since 1970, UTC.

    Raises
    ------
    RecordingError
        A cell is no time; the message names its data row.
    """
    times, is_bad = _parsed(column)
    if is_bad.any():
        row = int(np.argmax(is_bad))
        raise RecordingError(
            source,
            f"column {column.name!r}, data row {row + 1}: {column[row]!r} is no time",
            "write ISO 8601 (2024-05-01T12:00:00Z) or a Unix time,"
            " or choose another time column (none: times are made)",
        )
    return times


def made_times(sensor_codes: npt.NDArray[np.intp], now_ns: int) -> IntArray:
    """Make event times for a recording without any.

    Parameters
    ----------
    sensor_codes : ndarray of shape (n_readings,)
        Which sensor a reading is of, from 0.
    now_ns : int
        The time of every sensor's last reading.

    Returns
    -------
    ndarray of shape (n_readings,), int64
        Nanoseconds since 1970; a sensor's readings are one second apart, in file order.
    """
    position, count = positions(sensor_codes, np.argsort(sensor_codes, kind="stable"))
    return np.asarray(now_ns - (count[sensor_codes] - 1 - position) * NS_A_SECOND, dtype=np.int64)


def positions(
    sensor_codes: npt.NDArray[np.intp], order: npt.NDArray[np.intp]
) -> tuple[IntArray, IntArray]:
    """Return each reading's place within its sensor, from 0, and each sensor's number of readings.

    `order` sorts the readings by sensor, then by whatever places are counted in.
    """
    count = np.bincount(sensor_codes)
    first = np.cumsum(count) - count
    position = np.empty(len(sensor_codes), dtype=np.int64)
    position[order] = np.arange(len(order)) - first[sensor_codes[order]]
    return position, count.astype(np.int64)


def iso_texts(event_time_ns: IntArray) -> list[str]:
    """Write event times as ISO 8601 in UTC with as many digits as they need."""
    texts = np.datetime_as_string(event_time_ns.view("datetime64[ns]")).tolist()
    return [text.rstrip("0").rstrip(".") + "Z" for text in texts]


def _parsed(column: pl.Series) -> tuple[IntArray, BoolArray]:
    if column.dtype == pl.String:
        return _from_text(column)
    if column.dtype.is_numeric():
        return _from_numbers(column)
    if isinstance(column.dtype, pl.Date | pl.Datetime):
        return _filled(column.cast(pl.Datetime("ns", getattr(column.dtype, "time_zone", None))))
    return np.zeros(len(column), np.int64), np.ones(len(column), np.bool_)


def _filled(times: pl.Series) -> tuple[IntArray, BoolArray]:
    return times.cast(pl.Int64).fill_null(0).to_numpy().copy(), times.is_null().to_numpy().copy()


def _from_text(column: pl.Series) -> tuple[IntArray, BoolArray]:
    part = column.str.extract_groups(ISO_8601).struct
    second = part.field("date") + " " + part.field("minute").fill_null("00:00")
    second = second + ":" + part.field("second").fill_null("00")
    epoch_s = second.str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False).dt.epoch("s")
    fraction_ns = part.field("fraction").fill_null("0").str.pad_end(9, "0").cast(pl.Int64)
    times = (epoch_s - _zone_s(part.field("zone"))) * NS_A_SECOND + fraction_ns
    is_in_range = epoch_s.abs() < LARGEST_NS // NS_A_SECOND
    return _with_rarer_forms(column, *_filled(times.set(~is_in_range.fill_null(value=True), None)))


def _zone_s(zone: pl.Series) -> pl.Series:
    digits = zone.str.replace_all(r"[Zz:+-]", "").str.pad_end(4, "0")
    length_s = digits.str.slice(0, 2).cast(pl.Int64) * 3600
    length_s = length_s + digits.str.slice(2, 2).cast(pl.Int64) * 60
    sign = zone.str.starts_with("-").cast(pl.Int64) * -2 + 1
    return (sign * length_s).fill_null(0)


def _with_rarer_forms(
    column: pl.Series, times: IntArray, is_bad: BoolArray
) -> tuple[IntArray, BoolArray]:
    """Try Python's slower parser where the fast one failed: basic forms and week dates."""
    for row in np.flatnonzero(is_bad).tolist():
        try:
            parsed = datetime.fromisoformat(column[row])
        except (TypeError, ValueError):
            break  # the first unreadable cell is the one that is reported
        parsed = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        time_ns = (parsed - EPOCH) // timedelta(microseconds=1) * 1000
        is_bad[row] = abs(time_ns) > LARGEST_NS
        times[row] = 0 if is_bad[row] else time_ns
    return times, is_bad


def _from_numbers(column: pl.Series) -> tuple[IntArray, BoolArray]:
    is_whole = column.dtype.is_integer()
    missing = np.nan if not is_whole else 0
    values = column.cast(pl.Int64 if is_whole else pl.Float64, strict=False)
    is_bad = values.is_null().to_numpy()
    numbers = values.fill_null(missing).to_numpy()
    size = np.abs(numbers.astype(np.float64))
    unit_ns = np.select([size < below for below, _ in UNITS], [unit for _, unit in UNITS], 1)
    is_bad = is_bad | ~np.isfinite(size) | (size * unit_ns >= float(LARGEST_NS))
    numbers = np.where(is_bad, 0, numbers)
    if is_whole:
        return numbers * unit_ns, is_bad
    in_us = np.rint(numbers * np.maximum(unit_ns / 1000, 1)).astype(np.int64) * 1000
    return np.where(unit_ns == 1, numbers.astype(np.int64), in_us), is_bad
