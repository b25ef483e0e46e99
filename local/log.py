"""A durable, partitioned log of events in one SQLite file: the event hub of this machine."""

import functools
import hashlib
import itertools
import json
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from local.log_file import connect, create_tables
from scoring.errors import ScoringError, SettingsError

DEFAULT_PARTITIONS = 4  # divides well over 1, 2 and 4 instances, and over a laptop's cores
RETENTION_NS = 3_600 * 10**9  # one hour, as long as the Event Hubs emulator keeps events
TRIM_STEP = 5_000  # events a partition and step: the log is locked for some ten milliseconds

_HUB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,255}")  # Event Hubs' own rule; no path in it


class UnknownPartitionError(ScoringError):
    """An event names a partition that its log does not have."""

    def __init__(self, partition: int, partitions: int) -> None:
        super().__init__(
            f"there is no partition {partition}; name one of 0 to {partitions - 1}, or none"
        )


@dataclass(frozen=True, slots=True)
class LogEvent:
    """An event on its way into the log.

    Parameters
    ----------
    body : bytes
        As the sender wrote it; may be empty.
    partition_key : str, optional
        Events of one key land in one partition, in order.
    properties : mapping, optional
        Application properties; text, numbers and booleans.
    partition : int, optional
        This partition, whatever the key. With neither, partitions take turns.
    """

    body: bytes
    partition_key: str | None = None
    properties: Mapping[str, Any] | None = None
    partition: int | None = None


class StoredEvent(NamedTuple):
    """An event as the log keeps it; `properties` is a JSON object as text."""

    sequence_number: int
    offset: int
    enqueued_time_ns: int
    partition_key: str | None
    properties: str
    body: bytes


def log_path(data_dir: Path, hub: str) -> Path:
    """Return the file that holds the events of `hub`.

    Raises
    ------
    SettingsError
        If this cannot be the name of an event hub.
    """
    if not _HUB_NAME.fullmatch(hub):
        raise SettingsError(
            [f"the event hub name {hub!r} must be letters, digits, '.', '_' and '-' only"]
        )
    return data_dir / "hubs" / f"{hub}.sqlite"


@functools.lru_cache(maxsize=65_536)  # a fleet's keys; hashing costs more than looking up
def partition_of(key: str, partitions: int) -> int:
    """Return the partition of a key: the same in every process and for ever."""
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % partitions


class EventLog:
    """One hub's events and the checkpoints of its consumer groups.

    An append is one transaction: all of its events are in the log, or none. Once it has
    returned they survive the death of any process; `synchronous=NORMAL` may lose the last
    ones to a power cut, never the file. Sequence numbers of a partition start at 0 and have
    no gaps. Threads may share an instance, and processes a file.

    Parameters
    ----------
    path : Path
        The SQLite file; made with its folder if absent.
    partitions : int
        Used when the file is made; an existing log keeps its own number.
    clock : callable
        UTC in nanoseconds: the enqueued time.
    """

    def __init__(
        self,
        path: Path,
        partitions: int = DEFAULT_PARTITIONS,
        *,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._clock = clock
        self._turn = itertools.count()
        self._writer, self._reader = connect(path), connect(path)
        self._write_lock, self._read_lock = threading.Lock(), threading.Lock()
        with self._writing() as connection:
            self.partitions = create_tables(connection, partitions)

    def append(self, events: Iterable[LogEvent]) -> list[tuple[int, int]]:
        """Append events in one transaction.

        Returns
        -------
        list of (int, int)
            Partition and sequence number of each event, in the order given.

        Raises
        ------
        UnknownPartitionError
            If an event names a partition that there is not; nothing is appended.
        sqlite3.Error
            If the file cannot be written; nothing is appended.
        """
        placed = [(self._place(event), event) for event in events]
        now = self._clock()
        with self._writing() as connection:
            ends = _partition_ends(connection)
            rows = [_row(ends, partition, event, now) for partition, event in placed]
            connection.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            connection.executemany(
                "UPDATE partition SET next_sequence_number = ?, next_offset = ?"
                " WHERE partition = ?",
                [(*end, partition) for partition, end in ends.items()],
            )
        return [(row[0], row[1]) for row in rows]

    def read(self, partition: int, after: int, limit: int) -> list[StoredEvent]:
        """Return up to `limit` events with a sequence number above `after`, in order."""
        rows = self._query(
            "SELECT sequence_number, offset, enqueued_time_ns, partition_key, properties, body"
            " FROM event WHERE partition = ? AND sequence_number > ?"
            " ORDER BY sequence_number LIMIT ?",
            (partition, after, limit),
        )
        return [StoredEvent._make(row) for row in rows]

    def checkpoint(self, consumer_group: str, partition: int) -> int | None:
        """Return the last sequence number that a group has done, None before its first."""
        rows = self._query(
            "SELECT sequence_number FROM checkpoint WHERE consumer_group = ? AND partition = ?",
            (consumer_group, partition),
        )
        return int(rows[0][0]) if rows else None

    def set_checkpoint(self, consumer_group: str, partition: int, sequence_number: int) -> None:
        """Note that a group is done with everything up to `sequence_number`; -1 is nothing yet."""
        with self._writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO checkpoint VALUES (?, ?, ?)",
                (consumer_group, partition, sequence_number),
            )

    def end_positions(self) -> dict[int, int]:
        """Return the last sequence number of each partition; -1 where nothing was appended."""
        rows = self._query("SELECT partition, next_sequence_number - 1 FROM partition")
        return dict(rows)

    def backlog(self, consumer_group: str) -> int:
        """Return how many events a group has not done yet."""
        rows = self._query(
            "SELECT SUM(p.next_sequence_number - 1 - COALESCE(c.sequence_number, -1))"
            " FROM partition p LEFT JOIN checkpoint c"
            " ON c.partition = p.partition AND c.consumer_group = ?",
            (consumer_group,),
        )
        return int(rows[0][0])

    def trim(self, retention_ns: int = RETENTION_NS, step: int = TRIM_STEP) -> int:
        """Delete a bounded number of old events that every consumer group has done.

        An event that a group has still to read is never deleted, nor is any where no group
        has begun.

        Returns
        -------
        int
            How many went; 0 once there is nothing left to delete.
        """
        before = self._clock() - retention_ns
        with self._writing() as connection:
            done = connection.execute(
                "SELECT partition, MIN(sequence_number) FROM checkpoint GROUP BY partition"
            ).fetchall()
            return sum(_trim(connection, p, last, before, step) for p, last in done)

    def close(self) -> None:
        """Close the file; the log must not be used afterwards."""
        with self._write_lock, self._read_lock:
            self._writer.close()
            self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _place(self, event: LogEvent) -> int:
        if event.partition is not None:
            if not 0 <= event.partition < self.partitions:
                raise UnknownPartitionError(event.partition, self.partitions)
            return event.partition
        if event.partition_key is not None:
            return partition_of(event.partition_key, self.partitions)
        return next(self._turn) % self.partitions

    def _query(self, statement: str, arguments: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with self._read_lock, closing(self._reader.execute(statement, arguments)) as cursor:
            return cursor.fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._write_lock:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise


def _partition_ends(connection: sqlite3.Connection) -> dict[int, tuple[int, int]]:
    rows = connection.execute("SELECT partition, next_sequence_number, next_offset FROM partition")
    return {partition: (sequence_number, offset) for partition, sequence_number, offset in rows}


def _row(
    ends: dict[int, tuple[int, int]], partition: int, event: LogEvent, now_ns: int
) -> tuple[int, int, int, int, str | None, str, bytes]:
    sequence_number, offset = ends[partition]
    ends[partition] = (sequence_number + 1, offset + len(event.body) + 1)
    properties = json.dumps(dict(event.properties)) if event.properties else "{}"
    return (partition, sequence_number, offset, now_ns, event.partition_key, properties, event.body)


def _trim(
    connection: sqlite3.Connection, partition: int, last_done: int, before_ns: int, step: int
) -> int:
    first = connection.execute(
        "SELECT MIN(sequence_number) FROM event WHERE partition = ?", (partition,)
    ).fetchone()[0]
    if first is None:
        return 0
    return connection.execute(
        "DELETE FROM event WHERE partition = ? AND sequence_number <= ? AND enqueued_time_ns < ?",
        (partition, min(last_done, first + step - 1), before_ns),
    ).rowcount
