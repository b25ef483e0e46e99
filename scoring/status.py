"""Tells other processes how scoring goes: one small record a scorer process, in storage."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated

import msgspec

from scoring.cache import Snapshot
from scoring.clocks import has_passed
from scoring.errors import StorageUnavailableError
from scoring.ledger import Ledger
from scoring.side_work import SideWork
from scoring.storage import Container, Entry, Stored

CONTAINER = "status"
_log = logging.getLogger(__name__)
# Often enough for people, and four writes a minute of a process at the most.
_WRITE_EVERY = timedelta(seconds=15)
# Long enough to look into what a process did last.
_SWEPT_AFTER = timedelta(days=1)
# Eight missed writes: the process is gone, or nothing arrives.
FRESH_FOR = timedelta(minutes=2)
# What is older is not even read; storage dates files by a clock of its own, in whole seconds.
_NOT_READ_AFTER = 2 * FRESH_FOR
# A storage that refuses tells after some 4 s; what takes longer than this may take for ever.
_SLOW_FOR_S = 8.0


# Without a zone it could be held against no other time.
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class ModelStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One model as a scorer process sees it."""

    state: str
    version: str | None = None
    refused_version: str | None = None
    age_s: float | None = None
    threshold_scale: str | None = None
    has_threshold: bool = False


class StatusRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What one scorer process did; counts are since it started."""

    instance: str
    written_time: _Moment
    last_batch_time: _Moment
    models: dict[str, ModelStatus]
    counts: dict[str, int]
    rejected: dict[str, int]
    sinks: dict[str, str]
    lag_p50_ms: float
    lag_max_ms: float
    is_holding: bool = False
    stores: dict[str, int] = {}
    remedies: dict[str, str] = {}


class SeenRecord(StatusRecord, frozen=True, kw_only=True):
    """A record as a reader finds it; `clock_off_s`: how far its clock is ahead of storage's.

    Where that is more than two minutes, its times are put on storage's clock.
    """

    clock_off_s: float = 0.0


def model_statuses(snapshot: Snapshot, monotonic: float) -> dict[str, ModelStatus]:
    """Describe the models of a snapshot, without addresses or error texts."""
    found: dict[str, ModelStatus] = {}
    for name, state in snapshot.states.items():
        model = snapshot.models.get(name)
        found[name] = ModelStatus(
            state=state.state,
            version=model.version if model else None,
            refused_version=state.found_version if state.state == "refused" else None,
            age_s=None if state.loaded_at is None else round(monotonic - state.loaded_at, 1),
            threshold_scale=model.threshold_scale if model else None,
            has_threshold=model is not None and model.threshold is not None,
        )
    return found


class StatusBoard:
    """Writes this process's record and reads those of all.

    A record that cannot be written costs no batch: one that ends 15 s later tries again, and
    readers see the process as silent after two minutes. It is written beside the batch, which
    waits about a second for it; see `SideWork`. Clocks may be wrong: one that is set back stops no
    record, and a record that is seen to change is fresh whatever the clocks say.

    Parameters
    ----------
    container : Container
    instance : str
        The name of this process's record.
    clock : callable
        UTC.
    monotonic : callable
        Seconds.
    writing : SideWork, optional
        How it is written beside the batches.
    """

    def __init__(
        self,
        container: Container,
        instance: str,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
        writing: SideWork | None = None,
    ) -> None:
        self._container = container
        self._instance = instance
        self._clock = clock
        self._monotonic = monotonic
        self._changes = _Changes(monotonic)
        self._writing = SideWork() if writing is None else writing
        self._lock = threading.Lock()
        self._written: datetime | None = None
        self._newest: StatusRecord | None = None
        self._stored: StatusRecord | None = None
        self._has_failed = False
        self._put_began: float | None = None  # monotonic; none is under way

    def batch_ended(
        self,
        ledger: Ledger,
        models: dict[str, ModelStatus],
        sinks: dict[str, str],
        remedies: Mapping[str, str] | None = None,
    ) -> None:
        """Have the record written, at most every 15 s."""
        now = self._clock()
        with self._lock:
            if not has_passed(_WRITE_EVERY, self._written, now):
                return
            self._written = now
        p50, most = ledger.lag_ms()
        record = StatusRecord(
            instance=self._instance,
            written_time=now,
            last_batch_time=now,
            models=models,
            counts=ledger.totals(),
            rejected=ledger.rejected(),
            sinks=sinks,
            lag_p50_ms=round(p50, 1),
            lag_max_ms=round(most, 1),
            is_holding=ledger.is_holding(),
            stores=ledger.stores(),
            remedies={name: text for name, text in (remedies or {}).items() if text},
        )
        self._writing.do(partial(self._put, record))
        self._newest = record  # from now on it is told to be unwritten, if it is

    def _put(self, record: StatusRecord) -> None:
        # it may have waited for one before it, and readers take its time for this one's
        dated = msgspec.structs.replace(record, written_time=self._clock())
        self._put_began = self._monotonic()
        try:
            self._container.put(f"{self._instance}.json", msgspec.json.encode(dated))
            self._stored = record
        except StorageUnavailableError as error:
            _log.warning("status record not written: %s", error)
        finally:
            self._has_failed = self._stored is not record
            self._put_began = None

    def settle(self, seconds: float) -> bool:
        """Wait until no record is being written, or so long; tell whether that is so."""
        return self._writing.settle(seconds)

    def sweep(self) -> None:
        """Delete the records of processes that ended long ago."""
        now = self._clock()
        for entry in list(self._container.list()):
            if now - entry.modified.astimezone(UTC) > _SWEPT_AFTER:
                self._container.delete(entry.path)

    def fresh_records(self) -> tuple[SeenRecord, ...]:
        """Read the records younger than two minutes; for one reader at a time."""
        now = self._clock()
        found = {record.instance: record for record in self._read_records(now)}
        own = self._fresh_unwritten(now)
        if own is not None:  # nobody but this process can tell
            found[self._instance] = _seen(own)
        return tuple(found.values())

    def can_write(self) -> bool:
        """Tell whether this process's record could be written, as far as it tried lately.

        One that is merely slow could be, until it is under way for more than 8 s.
        """
        if self._fresh_unwritten(self._clock()) is None:
            return True
        began = self._put_began
        is_slow = began is not None and self._monotonic() - began > _SLOW_FOR_S
        return not (self._has_failed or is_slow)

    def _fresh_unwritten(self, now: datetime) -> StatusRecord | None:
        own = self._newest
        if own is None or own is self._stored or abs(now - own.written_time) > FRESH_FOR:
            return None
        return own

    def _read_records(self, now: datetime) -> Iterator[SeenRecord]:
        entries = list(self._container.list())
        changing = self._changes.look(entries)
        for entry in entries:
            is_changing, modified = entry.path in changing, entry.modified.astimezone(UTC)
            if not is_changing and abs(now - modified) > _NOT_READ_AFTER:
                continue
            found = self._container.get(entry.path)
            record = _decode(found.data, entry.path) if isinstance(found, Stored) else None
            seen = None if record is None else _on_storage_clock(record, modified, entry.path)
            if seen is None:
                continue
            if is_changing or abs(now - seen.written_time) <= FRESH_FOR:
                yield seen


class _Changes:
    """Remembers when each record was seen to change, by a clock that cannot be set."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._seen: dict[str, tuple[datetime, float]] = {}

    def look(self, entries: Sequence[Entry]) -> set[str]:
        """Return the paths of those that changed within two minutes under this reader's eyes."""
        now, before = self._monotonic(), self._seen
        self._seen = {}
        for entry in entries:
            modified, changed_at = before.get(entry.path, (entry.modified, float("-inf")))
            changed_at = changed_at if modified == entry.modified else now
            self._seen[entry.path] = entry.modified, changed_at
        limit = now - FRESH_FOR.total_seconds()
        return {path for path, (_, changed_at) in self._seen.items() if changed_at >= limit}


def _seen(record: StatusRecord) -> SeenRecord:
    return SeenRecord(**msgspec.structs.asdict(record))


def _on_storage_clock(record: SeenRecord, modified: datetime, path: str) -> SeenRecord | None:
    """Tell how far the clock of a record's process is off, and undo it where that is much."""
    off = record.written_time - modified
    undone = off if abs(off) > FRESH_FOR else timedelta(0)
    try:
        last_batch_time = record.last_batch_time - undone
    except OverflowError as error:  # of no process: the two times are millennia apart
        _log.warning("status record %s is left out: %s", path, error)
        return None
    return msgspec.structs.replace(
        record,
        written_time=record.written_time - undone,
        last_batch_time=last_batch_time,
        clock_off_s=round(off.total_seconds(), 1),
    )


def _decode(data: bytes, path: str) -> SeenRecord | None:
    """Decode a record; None for one of another release, as there are during a deployment."""
    try:
        return msgspec.json.decode(data, type=SeenRecord)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        _log.warning("status record %s is left out: %s", path, error)
        return None
