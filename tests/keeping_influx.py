"""Stands in for influxd where there is none: keeps one line an identity, in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.http_double import Answer, HttpDouble, Request


class KeepingInflux:
    """A server with the life of `RealInflux`; killed it answers nothing, and keeps its lines."""

    def __init__(self, folder: Path) -> None:  # noqa: ARG002  # made as `RealInflux` is
        self._is_killed = False
        self._lines: dict[tuple[str, str], str] = {}

    @contextmanager
    def running(self) -> Iterator[HttpDouble]:
        """Serve for the length of a with block."""
        with HttpDouble(self._write).running() as front:
            yield front

    def start(self) -> None:
        """Answer again."""
        self._is_killed = False

    def kill(self) -> None:
        """Answer nothing."""
        self._is_killed = True

    def lines(self) -> list[str]:
        """Return what was written, the last line of each identity."""
        return list(self._lines.values())

    def _write(self, request: Request) -> Answer:
        if self._is_killed:
            raise ConnectionAbortedError
        for line in request.text.split("\n"):
            self._lines[line.split(" ", 1)[0], line.rpartition(" ")[2]] = line
        return Answer()
