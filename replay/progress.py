"""Shows how far a long task is: a bar on a terminal, a line every few seconds elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Advance = Callable[[int], None]
SECONDS_BETWEEN_LINES = 5.0  # a log stays readable, and a person still sees that it goes on


@contextmanager
def progress_bar(
    label: str,
    total: int | None = None,
    *,
    unit: str = "readings",
    stream: TextIO | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Advance]:
    """Show the progress of what is done inside.

    Parameters
    ----------
    label : str
        What is being done.
    total : int, optional
        How much there is; None where nobody knows.
    unit : str
        What is counted.
    stream : text file, optional
        Where to; standard error by default, because standard output may hold data.
    clock : callable
        Seconds; only differences count.

    Yields
    ------
    callable
        To be called with the number done so far.
    """
    stream = stream or sys.stderr
    shown = _bar if stream.isatty() else _lines
    with shown(label, total, unit, stream, clock) as advance:
        yield advance


@contextmanager
def _bar(
    label: str, total: int | None, unit: str, stream: TextIO, _clock: Callable[[], float]
) -> Iterator[Advance]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(file=stream)) as progress:
        task = progress.add_task(label, total=total, count="")

        def advance(done: int) -> None:
            progress.update(task, completed=done, count=_count(done, total, unit))

        yield advance


@contextmanager
def _lines(
    label: str, total: int | None, unit: str, stream: TextIO, clock: Callable[[], float]
) -> Iterator[Advance]:
    due = clock() + SECONDS_BETWEEN_LINES

    def advance(done: int) -> None:
        nonlocal due
        if clock() >= due:
            due = clock() + SECONDS_BETWEEN_LINES
            print(f"{label}: {_count(done, total, unit)}", file=stream, flush=True)

    yield advance


def _count(done: int, total: int | None, unit: str) -> str:
    return f"{done:,} {unit}" if total is None else f"{done:,} of {total:,} {unit}"
