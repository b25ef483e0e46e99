"""The SQLite file of an event log: its tables, and how it is opened."""

import sqlite3
import time
from pathlib import Path

BUSY_TIMEOUT_S = 30.0  # how long a writer waits for another process's transaction
WAL_LIMIT_BYTES = 64 * 2**20  # the write-ahead log is cut back to this once it has been read

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS partition (
        partition INTEGER PRIMARY KEY, next_sequence_number INTEGER NOT NULL,
        next_offset INTEGER NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS event (
        partition INTEGER NOT NULL, sequence_number INTEGER NOT NULL, offset INTEGER NOT NULL,
        enqueued_time_ns INTEGER NOT NULL, partition_key TEXT, properties TEXT NOT NULL,
        body BLOB NOT NULL, PRIMARY KEY (partition, sequence_number)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS checkpoint (
        consumer_group TEXT NOT NULL, partition INTEGER NOT NULL, sequence_number INTEGER NOT NULL,
        PRIMARY KEY (consumer_group, partition)) WITHOUT ROWID""",
)


def create_tables(connection: sqlite3.Connection, partitions: int) -> int:
    """Make the tables where there are none; return the number of partitions the file has."""
    for statement in _SCHEMA:
        connection.execute(statement)
    found: int = connection.execute("SELECT COUNT(*) FROM partition").fetchone()[0]
    if not found:
        rows = [(partition,) for partition in range(partitions)]
        connection.executemany("INSERT INTO partition VALUES (?, 0, 0)", rows)
    return found or partitions


def connect(path: Path) -> sqlite3.Connection:
    """Open a log's file; transactions are begun and ended by the caller."""
    connection = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    _use_wal(connection)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT_BYTES}")
    return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging; SQLite does not wait for others here, so this does."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)  # another process is making the same file
        else:
            return
