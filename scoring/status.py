"""Tells other processes how scoring goes: one small record a scorer process, in storage."""

import logging
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

from scoring.cache import Snapshot
from scoring.errors import StorageUnavailableError
from scoring.ledger import Ledger
from scoring.storage import Container, Stored

CONTAINER = "status"
_log = logging.getLogger(__name__)
# Often enough for people, and four writes a minute of a process at the most.
_WRITE_EVERY = timedelta(seconds=15)
_READ_EVERY = timedelta(seconds=1)
# Long enough to look into what a process did last.
_SWEPT_AFTER = timedelta(days=1)
# Eight missed writes: the process is gone, or nothing arrives.
FRESH_FOR = timedelta(minutes=2)
# What is older is not even read; storage dates files by a clock of its own, in whole seconds.
_NOT_READ_AFTER = 2 * FRESH_FOR


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
    readers see the process as silent after two minutes.
    """

    def __init__(self, container: Container, instance: str, clock: Callable[[], datetime]) -> None:
        self._container = container
        self._instance = instance
        self._clock = clock
        self._lock = threading.Lock()
        self._written: datetime | None = None
        self._read: datetime | None = None
        self._records: tuple[StatusRecord, ...] = ()

    def batch_ended(
        self, ledger: Ledger, models: dict[str, ModelStatus], sinks: dict[str, str]
    ) -> None:
        """Write the record, at most every 15 s."""
        now = self._clock()
        with self._lock:
            if self._written is not None and now - self._written < _WRITE_EVERY:
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
        )
        try:
            self._container.put(f"{self._instance}.json", msgspec.json.encode(record))
        except StorageUnavailableError as error:
            _log.warning("status record not written: %s", error)

    def sweep(self) -> None:
        """Delete the records of processes that ended long ago."""
        now = self._clock()
        for entry in list(self._container.list()):
            if now - entry.modified.astimezone(UTC) > _SWEPT_AFTER:
                self._container.delete(entry.path)

    def fresh_records(self) -> tuple[StatusRecord, ...]:
        """Read the records younger than two minutes; at most once a second, for anyone may ask."""
        now = self._clock()
        with self._lock:
            if self._read is None or now - self._read >= _READ_EVERY:
                self._records = tuple(self._read_records(now))
                self._read = now
            return self._records

    def _read_records(self, now: datetime) -> Iterator[StatusRecord]:
        for entry in self._container.list():
            if now - entry.modified.astimezone(UTC) > _NOT_READ_AFTER:
                continue
            found = self._container.get(entry.path)
            record = _decode(found.data, entry.path) if isinstance(found, Stored) else None
            if record is not None and now - record.written_time <= FRESH_FOR:
                yield record


def _decode(data: bytes, path: str) -> StatusRecord | None:
    """Decode a record; None for one of another release, as there are during a deployment."""
    try:
        return msgspec.json.decode(data, type=StatusRecord)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        _log.warning("status record %s is left out: %s", path, error)
        return None
