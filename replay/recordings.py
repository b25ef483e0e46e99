"""Reads a recording of sensor readings and chooses its columns."""

import time as clock
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from replay.columns import BODY_KEYS, ColumnChoice, choose_columns, describe, labels, numbers
from replay.tables import RecordingError, read_table
from replay.times import NS_A_SECOND, event_times, iso_texts, made_times, positions

__all__ = [
    "ColumnChoice",
    "Recording",
    "RecordingError",
    "describe",
    "read_recording",
    "reading_bodies",
    "split_early",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
ENCODED_AT_ONCE = 4096  # rows turned into Python objects together, so that memory stays flat


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Readings as columns, in file order.

    Parameters
    ----------
    source : str
        The file's name.
    choice : ColumnChoice
        What each column is used as.
    sensor_ids : list of str
        One a reading.
    event_time_ns : ndarray of shape (n_readings,), int64
        Nanoseconds since 1970, UTC.
    X : ndarray of shape (n_readings, n_features), float64
        Columns in the order of ``choice.features``; NaN where a cell is empty or infinite.
    y_true : ndarray of shape (n_readings,), bool, or None
        The labels, where there are any.
    times_made : bool
        Whether the file held no times, so that `event_time_ns` is made up.
    """

    source: str
    choice: ColumnChoice
    sensor_ids: list[str]
    event_time_ns: IntArray
    X: FloatArray
    y_true: BoolArray | None
    times_made: bool

    def __len__(self) -> int:
        return len(self.sensor_ids)

    def take(self, rows: npt.NDArray[np.intp]) -> Self:
        """Return the recording of these rows, in their order."""
        return replace(
            self,
            sensor_ids=[self.sensor_ids[row] for row in rows.tolist()],
            event_time_ns=self.event_time_ns[rows],
            X=self.X[rows],
            y_true=None if self.y_true is None else self.y_true[rows],
        )


def read_recording(
    path: Path | str,
    *,
    features: Sequence[str] | None = None,
    time: str | None = None,
    sensor: str | None = None,
    label: str | None = None,
    now_ns: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> Recording:
    """Read a CSV or Parquet file.

    Parameters
    ----------
    path : Path or str
        See :func:`replay.tables.read_table` for what is detected.
    features, time, sensor, label : optional
        Column names that override the choice; see :func:`replay.columns.choose_columns`.
    now_ns : int, optional
        Where made times end: every sensor's last reading. By default this second.
    progress : callable, optional
        Called with what is being done, before each slow step.

    Raises
    ------
    RecordingError
        The file cannot be used; the message says where and what to do.
    """
    path = Path(path)
    say = progress or (lambda _step: None)
    say(f"reading {path.name}")
    table = read_table(path)
    say(f"choosing columns of {table.height:,} rows")
    choice = choose_columns(
        path.name, table, features=features, time=time, sensor=sensor, label=label
    )
    return _recording(path, table, choice, now_ns, say)


def _recording(
    path: Path,
    table: pl.DataFrame,
    choice: ColumnChoice,
    now_ns: int | None,
    say: Callable[[str], None],
) -> Recording:
    sensor_ids = _sensor_ids(path, table, choice.sensor)
    if now_ns is None:
        now_ns = clock.time_ns() // NS_A_SECOND * NS_A_SECOND
    say("reading times")
    return Recording(
        source=path.name,
        choice=choice,
        sensor_ids=sensor_ids,
        event_time_ns=made_times(_codes(sensor_ids), now_ns)
        if choice.time is None
        else event_times(path.name, table[choice.time]),
        X=_matrix(table, choice.features),
        y_true=None if choice.label is None else labels(table[choice.label]),
        times_made=choice.time is None,
    )


def split_early(
    recording: Recording, share: float = 0.3
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Split off the early life of every sensor, to fit a model on.

    Parameters
    ----------
    recording : Recording
        In any order.
    share : float
        Which part of each sensor's readings is early, in (0, 1]; at least one reading is.

    Returns
    -------
    fit, rest : ndarrays of row numbers
        The early readings and the others, each in time order over the fleet; readings of the
        same time keep their file order.
    """
    codes = _codes(recording.sensor_ids)
    position, count = positions(codes, np.lexsort((recording.event_time_ns, codes)))
    n_early = np.maximum((count * share).astype(np.int64), 1)
    is_early = position < n_early[codes]
    in_time = np.argsort(recording.event_time_ns, kind="stable")
    return in_time[is_early[in_time]], in_time[~is_early[in_time]]


def reading_bodies(
    recording: Recording, rows: npt.NDArray[np.intp] | None = None
) -> Iterator[bytes]:
    """Write readings as event bodies.

    Parameters
    ----------
    recording : Recording
        Where they come from.
    rows : ndarray of row numbers, optional
        Which readings, in which order; by default all in file order.

    Yields
    ------
    bytes
        A UTF-8 JSON object: ``sensor_id``, ``timestamp`` (ISO 8601, UTC), and each feature
        under its name. An empty cell is left out.
    """
    rows = np.arange(len(recording)) if rows is None else rows
    encode = msgspec.json.Encoder().encode
    keys = (*BODY_KEYS, *recording.choice.features)
    for start in range(0, len(rows), ENCODED_AT_ONCE):
        part = recording.take(rows[start : start + ENCODED_AT_ONCE])
        times = iso_texts(part.event_time_ns)
        n_missing = np.count_nonzero(np.isnan(part.X), axis=1)
        for sensor_id, time, values, missing in zip(
            part.sensor_ids, times, part.X.tolist(), n_missing.tolist(), strict=True
        ):
            body = dict(zip(keys, (sensor_id, time, *values), strict=True))
            # NaN is the one value that differs from itself.
            yield encode({k: v for k, v in body.items() if v == v} if missing else body)  # noqa: PLR0124 - see above


def _sensor_ids(path: Path, table: pl.DataFrame, column: str | None) -> list[str]:
    if column is None:
        return [path.stem] * table.height
    values = table[column]
    if values.dtype.is_float() and bool((values.drop_nulls() % 1 == 0).all()):
        values = values.cast(pl.Int64)  # an empty cell made whole numbers floats
    is_missing = values.is_null()
    if values.dtype == pl.String:
        is_missing |= (values.str.strip_chars() == "").fill_null(value=False)
    if is_missing.any():
        row = int(is_missing.arg_max() or 0)
        raise RecordingError(
            path.name, f"column {column!r}, data row {row + 1}: no sensor id", "fill it in"
        )
    return values.cast(pl.String).to_list()


def _codes(sensor_ids: Sequence[str]) -> npt.NDArray[np.intp]:
    known: dict[str, int] = {}
    return np.array([known.setdefault(sensor, len(known)) for sensor in sensor_ids], dtype=np.intp)


def _matrix(table: pl.DataFrame, features: Sequence[str]) -> FloatArray:
    X = np.empty((table.height, len(features)))
    for column, name in enumerate(features):
        values = numbers(table[name])
        if values is not None:  # chosen columns are numeric
            X[:, column] = values.fill_null(np.nan).to_numpy()
    return X
