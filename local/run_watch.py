"""Shows how a run goes while it goes: sent, scored, anomalies, and the latest of them."""

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from local.log import EventLog
from scoring.settings import SETTINGS
from scoring.sinks.sqlite import open_scores

# Often enough to look alive on a terminal; a log takes one line in this many looks.
_LOOK_EVERY_S = 0.5
_LINE_EVERY_S = 5.0


class Watch:
    """A bar on a terminal, a line every few seconds elsewhere.

    Parameters
    ----------
    log : EventLog
        Tells how many readings wait.
    scores : Path
        Tells the anomalies.
    total : int or None
        Readings to be sent, where that is known.
    console : rich.console.Console
    """

    def __init__(self, log: EventLog, scores: Path, total: int | None, console: Console) -> None:
        self._log = log
        self._scores = scores
        self._console = console
        self._group = str(SETTINGS["EVENT_HUB_CONSUMER_GROUP"].default)
        self._sent = 0
        self._started = time.monotonic()
        self._looked = self._printed = self._started
        self._progress = Progress(
            TextColumn("scoring"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[said]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("scoring", total=total, said="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take the bar away."""
        self._progress.stop()

    def sent(self, n: int) -> None:
        """Take note that `n` readings are sent so far."""
        self._sent = n
        self.look()

    def look(self) -> None:
        """Look at the log and the scores, at most twice a second."""
        now = time.monotonic()
        if now - self._looked < _LOOK_EVERY_S:
            return
        self._looked = now
        scored = self._sent - self._log.backlog(self._group)
        said = f"{scored:,} of {self._sent:,} sent, {self._anomalies()}"
        self._progress.update(self._task, completed=max(scored, 0), said=said)
        if not self._console.is_terminal and now - self._printed >= _LINE_EVERY_S:
            self._printed = now
            print(f"{now - self._started:5.0f} s  scored {said}", flush=True)

    def _anomalies(self) -> str:
        """Count the anomalies and name the latest; the store's index makes this cheap."""
        try:
            with closing(open_scores(self._scores)) as connection:
                (n,) = connection.execute("SELECT count(*) FROM scores WHERE is_anomaly").fetchone()
                latest = connection.execute(
                    "SELECT sensor_id, cause FROM scores WHERE is_anomaly"
                    " ORDER BY event_time DESC LIMIT 1"
                ).fetchone()
        except sqlite3.Error:  # busy; the next look will do
            return "…"
        if latest is None:
            return "no anomalies yet"
        cause = f" by {json.loads(latest[1])[0]['feature']}" if latest[1] else ""
        return f"{n:,} anomalies, latest {latest[0]}{cause}"
