"""Opens a CSV or Parquet file as a table."""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from scoring.errors import ScoringError

DELIMITERS = (",", ";", "\t", "|")
SAMPLE_CHARACTERS = 65_536  # a few hundred rows: enough to tell a delimiter from a decimal comma
SAMPLE_LINES = 50  # the same, as lines
UNNAMED = "Unnamed: "  # what pandas calls a column without a name, mostly its row numbers
EMPTY_CELLS = ["", "NA", "N/A", "NaN", "nan", "NULL", "null", "None"]


class RecordingError(ScoringError):
    """A recording cannot be read as it is.

    Parameters
    ----------
    source : str
        The file.
    found : str
        What is wrong with it, naming the column or the data row (the first one is 1).
    remedy : str
        What its owner can do.
    """

    def __init__(self, source: str, found: str, remedy: str) -> None:
        self.source = source
        super().__init__(f"recording {source}: {found}; {remedy}")


def read_table(path: Path) -> pl.DataFrame:
    """Read a file whole, whichever of the two formats it is in.

    Parameters
    ----------
    path : Path
        Parquet is told by its first bytes; everything else is read as delimited text with a
        header line. Delimiter (comma, semicolon, tab, pipe), decimal comma, byte order mark and
        encoding (UTF-8, UTF-16, else Windows-1252) are detected.

    Returns
    -------
    polars.DataFrame
        At least one row; names stripped of surrounding spaces.

    Raises
    ------
    RecordingError
        No such file, no rows, no header, or a column name that stands twice.
    """
    source = path.name
    try:
        with path.open("rb") as file:
            is_parquet = file.read(4) == b"PAR1"
        table = pl.read_parquet(path) if is_parquet else _read_text(path)
    except OSError as error:
        raise RecordingError(
            source, error.strerror or str(error), f"check the path {path}"
        ) from error
    except pl.exceptions.PolarsError as error:
        first_line = str(error).strip().splitlines()[0]
        raise RecordingError(source, first_line, "repair the file or save it anew") from error
    if table.is_empty():
        raise RecordingError(source, "it holds no rows", "record some readings first")
    return table


def _read_text(path: Path) -> pl.DataFrame:
    content = _as_utf8(path.read_bytes())
    sample = content[:SAMPLE_CHARACTERS].decode(errors="ignore").splitlines()[:SAMPLE_LINES]
    if not any(line.strip() for line in sample):
        raise RecordingError(path.name, "it is empty", "record some readings first")
    delimiter = _delimiter(sample)
    rows = list(csv.reader(sample, delimiter=delimiter))
    names = _names(path.name, rows[0])
    table = pl.read_csv(
        content,
        separator=delimiter,
        decimal_comma=delimiter != "," and _has_decimal_comma(rows[1:]),
        infer_schema_length=None,
        null_values=EMPTY_CELLS,
    )
    table.columns = names
    return table


def _as_utf8(content: bytes) -> bytes:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16").encode()
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        content.decode()
    except UnicodeDecodeError:
        # A degree sign saved by a spreadsheet program on Windows.
        return content.decode("cp1252", errors="replace").encode()
    return content


def _delimiter(sample: Sequence[str]) -> str:
    """Return the delimiter that cuts the most lines as it cuts the header."""

    def fit(delimiter: str) -> tuple[float, int]:
        widths = [len(row) for row in csv.reader(sample, delimiter=delimiter) if row]
        if widths[0] == 1:
            return 0.0, 1
        return widths.count(widths[0]) / len(widths), widths[0]

    return max(DELIMITERS, key=fit)


def _has_decimal_comma(rows: Sequence[Sequence[str]]) -> bool:
    cells = [cell.strip() for row in rows for cell in row]
    with_comma = sum(re.fullmatch(r"[+-]?\d+,\d+", cell) is not None for cell in cells)
    with_point = sum(re.fullmatch(r"[+-]?\d+\.\d+", cell) is not None for cell in cells)
    return with_comma > with_point


def _names(source: str, header: Sequence[str]) -> list[str]:
    names = [name.strip() or f"{UNNAMED}{i}" for i, name in enumerate(header)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise RecordingError(
            source, f"column {twice[0]!r} stands twice in the header", "rename one of them"
        )
    if all(_is_number(name) for name in names):
        raise RecordingError(
            source, "its first line holds only numbers", "add a header line with column names"
        )
    return names


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
