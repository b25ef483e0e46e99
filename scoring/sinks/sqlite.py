"""Stores scores in one SQLite file, the store that needs nothing else."""

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from scoring.errors import SinkUnavailableError
from scoring.scored import Refused, ScoredBatch, cause_document

# Several processes may write; a batch of one holds the file for milliseconds.
_BUSY_SECONDS = 30.0
_BUSY_PAUSE_SECONDS = 0.02
_SCHEMA = """
CREATE TABLE IF NOT EXISTS scores (
    model TEXT NOT NULL,
    sensor_id TEXT NOT NULL,
    event_time INTEGER NOT NULL,
    model_version TEXT NOT NULL,
    score REAL NOT NULL,
    anomaly_score REAL,
    is_anomaly INTEGER,
    cause TEXT,
    features TEXT NOT NULL,
    filled INTEGER NOT NULL,
    partition TEXT NOT NULL,
    sequence_number INTEGER NOT NULL,
    reading_index INTEGER NOT NULL,
    PRIMARY KEY (model, sensor_id, event_time)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS anomalies_by_time ON scores (event_time) WHERE is_anomaly;
"""
_UPSERT = f"INSERT OR REPLACE INTO scores VALUES ({', '.join('?' * 13)})"  # noqa: S608  # marks only


class SqliteSink:
    """One row an identity in `scores.sqlite`; several processes may write.

    Delivery as in `Sink`. A batch is one transaction: it is stored whole or not at all. The
    threads of a process share one connection and take turns, as SQLite's writers do anyway.

    Parameters
    ----------
    path : Path
        Made with its folder at the first write.
    """

    name = "sqlite"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def wanted(self, batch: ScoredBatch) -> ScoredBatch:
        """Return all of it."""
        return batch

    def write(self, batches: Sequence[ScoredBatch]) -> Sequence[Refused]:
        """Store every reading; none is ever refused.

        Raises
        ------
        SinkUnavailableError
            If the file cannot be written.
        """
        rows = [row for batch in batches for row in _rows(batch)]
        with self._lock:
            try:
                self._connection = self._connection or open_scores(self._path)
                with self._connection:
                    self._connection.executemany(_UPSERT, rows)
            except (sqlite3.Error, OSError) as error:
                self._close()
                raise SinkUnavailableError(
                    self.name, str(error), "check the rights and the free space of DATA_DIR"
                ) from error
        return ()

    def close(self) -> None:
        """Let go of the file; the next write opens it again."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def open_scores(path: Path) -> sqlite3.Connection:
    """Open the file of scores, and make it where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, check_same_thread=False)
    try:
        # readers and a writer at once; NORMAL survives a killed process, which is what the
        # checkpoint behind it can repair too
        _use_wal(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_SCHEMA)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch the file's journal; SQLite does not wait by itself for others that do the same."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_BUSY_PAUSE_SECONDS)
        else:
            return


def _rows(batch: ScoredBatch) -> Iterator[tuple[Any, ...]]:
    n = len(batch)
    nothing = [None] * n
    anomaly_score = nothing if batch.anomaly_score is None else batch.anomaly_score.tolist()
    is_anomaly = nothing if batch.is_anomaly is None else batch.is_anomaly.tolist()
    causes: list[str | None] = [None] * n
    for row, cause in batch.causes.items():
        causes[row] = json.dumps(cause_document(cause))
    return zip(
        [batch.model] * n,
        batch.sensor_ids,
        batch.event_time_ns.tolist(),
        [batch.model_version] * n,
        batch.score.tolist(),
        anomaly_score,
        is_anomaly,
        causes,
        _feature_texts(batch),
        batch.filled.tolist(),
        [batch.partition] * n,
        batch.sequence_numbers.tolist(),
        batch.indexes.tolist(),
        strict=True,
    )


def _feature_texts(batch: ScoredBatch) -> list[str]:
    encode = msgspec.json.Encoder().encode
    names = batch.features
    return [encode(dict(zip(names, row, strict=True))).decode() for row in batch.X.tolist()]
