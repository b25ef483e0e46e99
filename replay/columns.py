"""Chooses which columns of a table are the sensor, the time, the label and the features."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from replay.tables import UNNAMED, RecordingError

SENSOR_NAMES = ("sensor_id", "device_id", "unit_number", "station_id", "id")
TIME_NAMES = ("timestamp", "event_time", "time", "datetime")
LABEL_NAMES = ("anomaly", "label", "is_anomaly")
LABEL_LIKE_NAMES = ("changepoint",)  # tells when labels begin and end
COUNTER_NAMES = ("time_in_cycles", "cycle")  # a model that knows elapsed time learns nothing else
BODY_KEYS = ("sensor_id", "timestamp")  # what a reading is sent with besides its features
KIND_NAME = "anomaly_kind"  # what a simulation calls the column of its anomalies' kinds
NO_FEATURE_NAMES = frozenset(
    (*SENSOR_NAMES, *TIME_NAMES, *LABEL_NAMES, *LABEL_LIKE_NAMES, *COUNTER_NAMES, KIND_NAME)
)
NO_COLUMN = "none"  # given instead of a column's name: there is no such column

BoolArray = npt.NDArray[np.bool_]


class UnknownColumnError(RecordingError):
    """A column is asked for that a recording does not have."""


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """What each column of a recording is used as.

    Parameters
    ----------
    sensor, time, label : str or None
        The columns with the sensor id, the event time and the truth; None where there is none.
    features : tuple of str
        In file order, or in the order asked for.
    ignored : mapping of str to str
        Why each other column is not used: constant, counter, label, not numeric, id, time …
    """

    sensor: str | None
    time: str | None
    label: str | None
    features: tuple[str, ...]
    ignored: Mapping[str, str]


def describe(choice: ColumnChoice) -> str:
    """Say the choice in a few lines for a person."""
    ignored = ", ".join(f"{listed([name])} ({why})" for name, why in choice.ignored.items())
    lines = [
        f"sensor id  {choice.sensor or 'no column: the whole file is one sensor'}",
        f"time       {choice.time or 'no column: made, one second apart, ending now'}",
        f"label      {choice.label or 'no column'}",
        f"features   {len(choice.features)}: {listed(choice.features)}",
        f"ignored    {ignored or 'nothing'}",
    ]
    return "\n".join(lines)


def listed(names: Iterable[str]) -> str:
    """Write names as one line of CSV, as `column_names` reads them."""
    quoted = (f'"{name.replace(chr(34), chr(34) * 2)}"' if "," in name else name for name in names)
    return ", ".join(quoted)


def column_names(text: str | None) -> list[str] | None:
    """Read names from a list by comma; one that holds a comma stands in double quotes.

    Returns
    -------
    list of str or None
        None for no text: nothing is asked for.
    """
    rows = csv.reader(io.StringIO(text or "", newline=""), skipinitialspace=True)
    return [name.strip() for row in rows for name in row if name.strip()] or None


def choose_columns(
    source: str,
    table: pl.DataFrame,
    *,
    features: Sequence[str] | None = None,
    time: str | None = None,
    sensor: str | None = None,
    label: str | None = None,
) -> ColumnChoice:
    """Choose columns by their names and contents; what is asked for by name wins.

    Parameters
    ----------
    source : str
        The file, for errors.
    table : polars.DataFrame
        At least one row.
    features, time, sensor, label : optional
        Column names; case matters only where two columns differ by it. ``none`` for `time`,
        `sensor` or `label` says that there is no such column.

    Raises
    ------
    RecordingError
        A named column does not exist or does not hold what it should; no feature is left.
    """
    chooser = _Chooser(source, table)
    roles = (
        chooser.role(sensor, SENSOR_NAMES, _is_row_number),
        chooser.role(time, TIME_NAMES, _never),
        chooser.label(label),
    )
    why = {name: _why_ignored(table[name]) for name in table.columns if name not in roles}
    chosen = chooser.features(features, why)
    left = {name: reason or "not asked for" for name, reason in why.items() if name not in chosen}
    return ColumnChoice(*roles, features=chosen, ignored=left)


def numbers(column: pl.Series) -> pl.Series | None:
    """Return a column as float64, empty cells and infinities as null; None if it has other text."""
    if column.dtype == pl.String:
        parsed = column.str.strip_chars().cast(pl.Float64, strict=False)
        if parsed.null_count() > column.null_count():
            return None
    elif column.dtype.is_numeric():
        parsed = column.cast(pl.Float64)
    else:
        return None
    return parsed.set(~parsed.is_finite().fill_null(value=True), None)


def labels(column: pl.Series) -> BoolArray | None:
    """Return a column of 0 and 1, or of true and false, as booleans; None if it is neither."""
    values = _label_values(column)
    return None if values.null_count() else values.to_numpy() == 1


def _label_values(column: pl.Series) -> pl.Series:
    """Return 0 and 1 as float64, and null for anything else."""
    if column.dtype == pl.String:
        words = {"0": 0, "0.0": 0, "false": 0, "1": 1, "1.0": 1, "true": 1}
        lower = column.str.strip_chars().str.to_lowercase()
        return lower.replace_strict(words, default=None, return_dtype=pl.Float64)
    if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
        return pl.repeat(None, len(column), dtype=pl.Float64, eager=True)
    values = column.cast(pl.Float64)
    return values.set(~values.is_in([0.0, 1.0]).fill_null(value=False), None)


def _label_fault(column: pl.Series) -> str:
    """Say which cell is no label, or nothing if all are labels."""
    values = _label_values(column)
    if not values.null_count():
        return ""
    row = int(values.is_null().arg_max() or 0)
    cell = column[row]
    return f"data row {row + 1} is {'empty' if cell is None else f'{cell!r}, not 0 or 1'}"


class _Chooser:
    def __init__(self, source: str, table: pl.DataFrame) -> None:
        self._source = source
        self._table = table

    def error(
        self, found: str, remedy: str, kind: type[RecordingError] = RecordingError
    ) -> RecordingError:
        columns = listed(self._table.columns)
        return kind(self._source, found, f"{remedy}; its columns are: {columns}")

    def named(self, name: str) -> str:
        same = [column for column in self._table.columns if column == name]
        alike = [column for column in self._table.columns if column.lower() == name.lower()]
        found = same or alike
        if len(found) != 1:
            has_comma = any("," in column for column in self._table.columns)
            hint = ", with double quotes around one that holds a comma" if has_comma else ""
            remedy = f"correct the name{hint}"
            raise self.error(f"there is no column {name!r}", remedy, UnknownColumnError)
        return found[0]

    def role(
        self, asked: str | None, names: Sequence[str], is_unfit: Callable[[pl.Series], bool]
    ) -> str | None:
        if asked is not None:
            return None if asked.lower() == NO_COLUMN else self.named(asked)
        by_name = {column.lower(): column for column in reversed(self._table.columns)}
        fitting = (by_name[name] for name in names if name in by_name)
        return next((name for name in fitting if not is_unfit(self._table[name])), None)

    def label(self, asked: str | None) -> str | None:
        name = self.role(asked, LABEL_NAMES, _is_no_label)
        if name is not None and labels(self._table[name]) is None:  # it was asked for
            raise self.error(
                f"label column {name!r} holds something else than 0, 1, true and false:"
                f" {_label_fault(self._table[name])}",
                "choose another or none",
            )
        return name

    def features(self, asked: Sequence[str] | None, why: Mapping[str, str]) -> tuple[str, ...]:
        """Take those asked for, else those of which nothing says why they are none."""
        if asked is None:
            chosen = tuple(name for name, reason in why.items() if not reason)
        else:
            chosen = self._asked_features(asked)
        if not chosen:
            raise self.error("it has no numeric column that changes", "name its features")
        return chosen

    def _asked_features(self, asked: Sequence[str]) -> tuple[str, ...]:
        chosen = tuple(dict.fromkeys(self.named(name) for name in asked))
        for name in chosen:
            if numbers(self._table[name]) is None:
                raise self.error(f"feature {name!r} is {_not_numeric(self._table[name])}", "fix it")
            if name in BODY_KEYS:
                raise self.error(f"a feature cannot be called {name!r}", "rename the column")
        return chosen


def _never(_column: pl.Series) -> bool:
    return False


def _is_row_number(column: pl.Series) -> bool:
    """Tell an `id` that counts the rows from one that names sensors."""
    is_counting = column.dtype.is_integer() and len(column) > 1 and column.name.lower() == "id"
    return is_counting and bool((column.diff().drop_nulls() == 1).all())


def _is_no_label(column: pl.Series) -> bool:
    return labels(column) is None


def _why_ignored(column: pl.Series) -> str:
    """Return why a column is no feature, or nothing if it is one."""
    name = column.name.lower()
    if column.name.startswith(UNNAMED):
        return "no name"
    for names, why in (
        (SENSOR_NAMES, "id"),
        (TIME_NAMES, "time"),
        ((*LABEL_NAMES, *LABEL_LIKE_NAMES, KIND_NAME), "label"),
        (COUNTER_NAMES, "counter"),
    ):
        if name in names:
            fault = _label_fault(column) if name in LABEL_NAMES else ""
            return f"{why}, but {fault}" if fault else why
    values = numbers(column)
    if values is None:
        return _not_numeric(column)
    return "" if values.drop_nulls().n_unique() > 1 else "constant"


def _not_numeric(column: pl.Series) -> str:
    if column.dtype != pl.String:
        return "not numeric"
    is_text = column.str.strip_chars().cast(pl.Float64, strict=False).is_null() & ~column.is_null()
    row = int(is_text.arg_max() or 0)
    return f"not numeric, as data row {row + 1} shows: {column[row]!r}"
