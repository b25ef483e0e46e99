"""Runs of `python -m local.run` in processes of their own."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from tests.waiting import wait_until

REPOSITORY = Path(__file__).parents[1]
CLOSING = re.compile(
    r"done: sent=(\d+) scored=(\d+) rejected=(\d+) anomalies=(\d+) lost=(\d+)$", re.MULTILINE
)


def run(module: str, *arguments: str, data_dir: Path) -> subprocess.CompletedProcess[str]:
    """Run one of our commands as a user would."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=REPOSITORY,
        env=os.environ | {"DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def counts(output: str) -> tuple[int, ...]:
    """Read the closing line."""
    found = CLOSING.search(output)
    assert found, output
    return tuple(map(int, found.groups()))


def scores(data_dir: Path, query: str) -> list[tuple[object, ...]]:
    """Ask the store."""
    with closing(sqlite3.connect(data_dir / "scores.sqlite", timeout=30)) as connection:
        return connection.execute(query).fetchall()


class Run:
    """A simulation that runs in a process of its own, once its first readings are scored."""

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir / "run"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "local.run", "--port", "0"],
            cwd=REPOSITORY,
            env=os.environ | {"DATA_DIR": str(data_dir)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            wait_until(self._has_scores, "the first scores")
        except BaseException:
            self.process.kill()
            self.end()
            raise

    def _has_scores(self) -> bool:
        assert self.process.poll() is None
        store = self.folder / "scores.sqlite"
        try:
            return store.exists() and bool(scores(self.folder, "SELECT 1 FROM scores LIMIT 1"))
        except sqlite3.OperationalError:  # its table is not made yet
            return False

    def signal_app(self, number: signal.Signals) -> None:
        """Send a signal to the app: the one child of the run."""
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                _, _, rest = stat.read_text().rpartition(")")
            except OSError:  # ended meanwhile
                continue
            if rest.split()[1] == str(self.process.pid):
                os.kill(int(stat.parent.name), number)
                return
        raise AssertionError("the run has no app")

    def end(self) -> tuple[int, str, str]:
        """Wait for the end; return status, output and errors."""
        output, errors = self.process.communicate(timeout=90)
        return self.process.returncode, output, errors
