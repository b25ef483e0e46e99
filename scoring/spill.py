"""Keeps scored batches in storage while a store is down, and writes them back in order."""

import hashlib
import logging
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence, Sized
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
import numpy as np

from scoring.attribution import Share
from scoring.clocks import has_passed
from scoring.errors import ReadingRejectedError, SpillFullError
from scoring.event_batch import EventBatch, Int64
from scoring.events import Rejected
from scoring.json_bodies import TOO_DEEP, documents, raw_readings
from scoring.scored import REFUSED_BY_STORE, Refused, ScoredBatch
from scoring.storage import ConditionNotMetError, Container, Entry, NotRead

CONTAINER = "spill"
_log = logging.getLogger(__name__)
_MB = 1_000_000
# How long a listing counts: what this process spills itself is added to it at once.
_LISTED_FOR = timedelta(seconds=10)


class SpilledBatch(msgspec.Struct, frozen=True, kw_only=True):
    """One `ScoredBatch` for one sink, as it lies in storage; columns as in `ScoredBatch`."""

    hub: str
    partition: str
    model: str
    model_version: str
    features: tuple[str, ...]
    sensor_ids: list[str]
    event_time_ns: list[Int64]
    enqueued_ns: list[Int64]
    X: list[list[float]]
    filled: list[Int64]
    score: list[float]
    anomaly_score: list[float] | None
    is_anomaly: list[bool] | None
    causes: dict[int, list[tuple[str, float]]]
    sequence_numbers: list[Int64]
    indexes: list[Int64]
    raws: list[bytes]
    partition_keys: list[str | None]
    device_ids: list[str | None]

    def __post_init__(self) -> None:
        """Refuse columns that do not belong together; decoding then raises `ValidationError`."""
        columns: list[Sized | None] = [self.event_time_ns, self.enqueued_ns, self.X, self.filled]
        columns += [self.score, self.anomaly_score, self.is_anomaly, self.sequence_numbers]
        columns += [self.indexes, self.raws, self.partition_keys, self.device_ids]
        n = len(self.sensor_ids)
        if any(column is not None and len(column) != n for column in columns):
            raise ValueError("its columns differ in length")
        if not n or any(not 0 <= row < n for row in self.causes):
            raise ValueError("it holds no readings, or causes of others")

    @classmethod
    def of(cls, events: EventBatch, scored: ScoredBatch) -> "SpilledBatch":
        """Take all that is needed to write it later, and to turn single readings away."""
        places = {number: event for event, number in enumerate(events.sequence_numbers)}
        rows = [places[number] for number in scored.sequence_numbers.tolist()]
        indexes = scored.indexes.tolist()
        return cls(
            hub=events.hub,
            partition=events.partition,
            model=scored.model,
            model_version=scored.model_version,
            features=scored.features,
            sensor_ids=scored.sensor_ids,
            event_time_ns=scored.event_time_ns.tolist(),
            enqueued_ns=[events.enqueued_ns[event] for event in rows],
            X=scored.X.tolist(),
            filled=scored.filled.tolist(),
            score=scored.score.tolist(),
            anomaly_score=None if scored.anomaly_score is None else scored.anomaly_score.tolist(),
            is_anomaly=None if scored.is_anomaly is None else scored.is_anomaly.tolist(),
            causes={
                row: [(share.feature, share.share) for share in cause]
                for row, cause in scored.causes.items()
            },
            sequence_numbers=scored.sequence_numbers.tolist(),
            indexes=indexes,
            raws=raw_readings(
                (events.bodies[event], index - events.first_index(event))
                for event, index in zip(rows, indexes, strict=True)
            ),
            partition_keys=[events.partition_keys[event] for event in rows],
            device_ids=[events.device_ids[event] for event in rows],
        )

    def scored_batch(self) -> ScoredBatch:
        """Return the batch as it was scored.

        Raises
        ------
        ReadingRejectedError, ValueError
            If the file was damaged.
        """
        shape = (len(self.sensor_ids), len(self.features))
        return ScoredBatch(
            model=self.model,
            model_version=self.model_version,
            features=self.features,
            sensor_ids=self.sensor_ids,
            event_time_ns=np.array(self.event_time_ns, np.int64),
            X=np.array(self.X, np.float64).reshape(shape),
            filled=np.array(self.filled, np.int64),
            score=np.array(self.score, np.float64),
            anomaly_score=None if self.anomaly_score is None else np.array(self.anomaly_score),
            is_anomaly=None if self.is_anomaly is None else np.array(self.is_anomaly, np.bool_),
            causes={
                row: tuple(Share(feature, share) for feature, share in cause)
                for row, cause in self.causes.items()
            },
            payloads=[_payload(raw) for raw in self.raws],
            partition=self.partition,
            sequence_numbers=np.array(self.sequence_numbers, np.int64),
            indexes=np.array(self.indexes, np.int64),
        )

    def rejected(self, refused: Sequence[Refused]) -> list[Rejected]:
        """Turn away what a store refuses; each reading is an event of `events`."""
        return [
            Rejected(
                event=one.row,
                index=self.indexes[one.row],
                raw=self.raws[one.row],
                reason=REFUSED_BY_STORE,
                message=one.message,
            )
            for one in refused
        ]

    def events(self) -> EventBatch:
        """Return the readings as events of their own, for those that a store refuses."""
        return EventBatch(
            hub=self.hub,
            partition=self.partition,
            bodies=self.raws,
            sequence_numbers=self.sequence_numbers,
            enqueued_ns=self.enqueued_ns,
            partition_keys=self.partition_keys,
            device_ids=self.device_ids,
        )


def _payload(raw: bytes) -> dict[str, Any]:
    """Read a reading again. One at the edge of what the stack takes may be too deep here.

    Its features are columns already; what is lost is what it held besides.
    """
    try:
        return next(documents(raw)).payload()
    except ReadingRejectedError as error:
        if error.reason == TOO_DEEP:
            return {}
        raise


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
        self._lock = threading.Lock()
        self._listed_at: datetime | None = None
        self._n_bytes = 0
        self._own_sizes: dict[str, int] = {}  # of what was put since the listing
        self._depth_at: datetime | None = None
        self._depth = SpillDepth(0, 0, None)

    def put(self, sink: str, events: EventBatch, scored: Sequence[ScoredBatch]) -> None:
        """Keep batches for a sink; raises `SpillFullError` or `StorageUnavailableError`."""
        for one in scored:
            data = msgspec.msgpack.encode(SpilledBatch.of(events, one))
            path = f"{sink}/{_name(events, one)}"
            self._claim(path, len(data))
            self._container.put(path, data)

    def _claim(self, path: str, n_bytes: int) -> None:
        with self._lock:
            now = self._clock()
            if has_passed(_LISTED_FOR, self._listed_at, now):
                self._n_bytes = sum(entry.size for entry in self._container.list())
                self._own_sizes = {}
                self._listed_at = now
            added = n_bytes - self._own_sizes.get(path, 0)
            if self._n_bytes + added > self._max_bytes:
                raise SpillFullError(self._max_bytes / _MB)
            self._n_bytes += added
            self._own_sizes[path] = n_bytes

    def waiting(self, sink: str) -> Iterator[tuple[SpillFile, SpilledBatch]]:
        """Read what waits for a sink, the oldest first."""
        for entry in list(self._container.list(f"{sink}/")):
            found = self._container.get(entry.path)
            if isinstance(found, NotRead):  # another process was faster
                continue
            try:
                spilled = msgspec.msgpack.decode(found.data, type=SpilledBatch)
            except (
                msgspec.MsgspecError,
                ValueError,
                RecursionError,
            ) as error:  # it stays; what is behind it goes on
                _log.error("spilled batch %s cannot be read and is left: %s", entry.path, error)
                continue
            yield SpillFile(entry.path, found.etag, len(found.data)), spilled

    def remove(self, file: SpillFile) -> None:
        """Let go of a batch that was written back; one that was put anew meanwhile stays."""
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
        with self._lock:
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
