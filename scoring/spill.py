"""Keeps scored batches in storage while a store is down, and writes them back in order."""

import hashlib
import logging
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from scoring.clocks import has_passed
from scoring.errors import SpillFullError, StorageUnavailableError
from scoring.event_batch import EventBatch
from scoring.scored import ScoredBatch
from scoring.spill_turns import SpillTurns
from scoring.spilled_batch import SpilledBatch
from scoring.storage import ConditionNotMetError, Container, Entry, NotRead

CONTAINER = "spill"
_log = logging.getLogger(__name__)
_MB = 1_000_000
# How long a listing counts: what this process spills itself is added to it at once.
_LISTED_FOR = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class SpillFile:
    """One spilled batch in storage, as it was read.

    Parameters
    ----------
    path, etag : str
    size : int
        Bytes.
    """

    path: str
    etag: str
    size: int


@dataclass(frozen=True, slots=True)
class SpillDepth:
    """How much waits to be written back."""

    n_files: int
    n_bytes: int
    oldest: datetime | None


class Spill:
    """Scored batches that a store could not take.

    Guarantee: a batch is whole in storage when `put` returns, and goes only when `remove` is
    called after it was written back, and only as it was read. Its name follows from its readings
    and its model, so what comes again takes its own place, and nothing else does; names sort by
    the time at which the hub took the events.
    What lies here is bounded by `max_mb`, as far as processes know of each other; past it `put`
    raises `SpillFullError`, and the caller keeps the batch, so that Event Hubs is the buffer again.

    Parameters
    ----------
    container : Container
    max_mb : float
        In units of 1,000,000 bytes.
    clock : callable
        UTC.
    """

    def __init__(self, container: Container, max_mb: float, clock: Callable[[], datetime]) -> None:
        self._container = container
        self._max_bytes = max_mb * _MB
        self._clock = clock
        self._lock, self._reading = threading.Lock(), threading.Lock()
        self._listed_at: datetime | None = None
        self._n_bytes = 0
        self._own_sizes: dict[str, int] = {}  # of what was put since the listing
        self._depth_at: datetime | None = None
        self._depth = SpillDepth(0, 0, None)
        self._turns = SpillTurns()
        self._told: set[tuple[str, str]] = set()  # path and ETag of what cannot be read

    def put(self, sink: str, events: EventBatch, scored: Sequence[ScoredBatch]) -> None:
        """Keep batches for a sink; raises `SpillFullError` or `StorageUnavailableError`."""
        for one in scored:
            data = msgspec.msgpack.encode(SpilledBatch.of(events, one))
            path = f"{sink}/{_name(events, one)}"
            self._claim(path, len(data))
            self._container.put(path, data)

    def _claim(self, path: str, n_bytes: int) -> None:
        self._list_if_due()
        with self._lock:
            added = n_bytes - self._own_sizes.get(path, 0)
            if self._n_bytes + added > self._max_bytes:
                raise SpillFullError(self._max_bytes / _MB)
            self._n_bytes += added
            self._own_sizes[path] = n_bytes

    def _list_if_due(self) -> None:
        """Count anew what lies there; batches side by side do not wait for each other's listing."""
        with self._lock:
            now = self._clock()
            if not has_passed(_LISTED_FOR, self._listed_at, now):
                return
            self._own_sizes = {}
        listed = sum(entry.size for entry in self._container.list())
        with self._lock:  # what was put meanwhile may be listed too: too much is better
            self._n_bytes = listed + sum(self._own_sizes.values())
            self._listed_at = now

    def waiting(self, sink: str) -> Iterator[tuple[SpillFile, SpilledBatch]]:
        """Read what waits for a sink, the oldest first, what was put off last.

        Nothing is listed ahead of what is read: of a long listing the first comes at once.
        """
        prefix = f"{sink}/"
        listed = (entry.path for entry in self._container.list(prefix))
        for path in self._turns.in_turn(prefix, listed):
            found = self._read(path)
            if found is not None:
                yield found

    def _read(self, path: str) -> tuple[SpillFile, SpilledBatch] | None:
        try:
            found = self._container.get(path)
        except StorageUnavailableError:
            self._turns.put_off(path)  # it may be this file alone
            raise
        if isinstance(found, NotRead):  # another process was faster
            self._turns.end(path)
            return None
        file = SpillFile(path, found.etag, len(found.data))
        try:
            return file, msgspec.msgpack.decode(found.data, type=SpilledBatch)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            self.leave(file, error)
            return None

    def put_off(self, file: SpillFile) -> None:
        """Let the others have their turn before this one, from the next run on."""
        self._turns.put_off(file.path)

    def leave(self, file: SpillFile, error: Exception) -> None:
        """Leave a file that cannot be read to a person, who is told once; the others go first."""
        self.put_off(file)
        if (file.path, file.etag) in self._told:
            return
        self._told.add((file.path, file.etag))
        _log.error(
            "spilled batch %s/%s cannot be read and is left: %s; mend the file, or move it"
            " elsewhere: it counts against SPILL_MAX_MB",
            self._container.name,
            file.path,
            error,
        )

    def remove(self, file: SpillFile) -> None:
        """Let go of a batch that was written back; one that was put anew meanwhile stays."""
        self._turns.end(file.path)
        try:
            self._container.delete(file.path, if_etag=file.etag)
        except ConditionNotMetError:
            _log.info("spilled batch %s was put anew; it is written back later", file.path)

    def of_others(self, sinks: Collection[str]) -> dict[str, int]:
        """Count the files that wait for stores that are not among these, by store."""
        owners = (entry.path.split("/")[0] for entry in self._container.list())
        return dict(Counter(owner for owner in owners if owner not in sinks))

    def depth(self) -> SpillDepth:
        """Tell how much waits; listed at most every 10 s, for anyone may ask."""
        with self._reading:  # of its own: no batch waits for a reader
            now = self._clock()
            if has_passed(_LISTED_FOR, self._depth_at, now):
                self._depth = _depth(list(self._container.list()))
                self._depth_at = now
            return self._depth

    def depth_of(self, sink: str) -> SpillDepth:
        """Tell how much waits for one sink, as it is listed now."""
        return _depth(list(self._container.list(f"{sink}/")))


def _depth(entries: Sequence[Entry]) -> SpillDepth:
    oldest = min((entry.modified for entry in entries), default=None)
    return SpillDepth(len(entries), sum(entry.size for entry in entries), oldest)


def _name(events: EventBatch, scored: ScoredBatch) -> str:
    """Name a batch after its readings and its model, the same however often it comes."""
    place = msgspec.json.encode((events.hub, events.partition, scored.model))
    columns = (scored.sequence_numbers.tobytes(), scored.indexes.tobytes())
    digest = hashlib.sha256(b"".join((place, *columns))).hexdigest()[:16]
    first = int(scored.sequence_numbers[0])
    return f"{max(events.enqueued_ns[0], 0):020d}-{first:020d}-{digest}.msgpack"
