"""Tells how each part of the system is."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from scoring import shared_looks
from scoring.background import in_background
from scoring.cache import ModelCache, Snapshot
from scoring.clocks import age_s
from scoring.dead_letters import DeadLetterDepth, DeadLetters
from scoring.errors import StorageUnavailableError
from scoring.scored import Sink
from scoring.shared_looks import Outcome, SharedLook, Work
from scoring.spill import Spill
from scoring.spill_depth import SpillDepth
from scoring.status import FRESH_FOR, ModelStatus, SeenRecord, StatusBoard, model_statuses

_log = logging.getLogger(__name__)
_NOTHING_WAITS = SpillDepth(0, 0, None)


@dataclass(frozen=True, slots=True)
class _Found:
    """What a look into storage found, as far as it came."""

    records: Sequence[SeenRecord] = ()
    depth: SpillDepth = _NOTHING_WAITS
    letters: DeadLetterDepth | None = None
    is_reachable: bool = False


class SystemHealth:
    """How the system is, as this process finds it; safe to use from any thread.

    Guarantee: storage is looked into, and models are looked for, beside who asks, once for all who
    do, so that a silent storage holds up nobody longer than `SharedLook` says, and no batch
    at all. What is not found by then counts as unreachable.

    Parameters
    ----------
    cache : ModelCache
    models : sequence of str
        Those that the cache looks for.
    sinks : sequence of Sink
    status : StatusBoard
    spill : Spill
    dead_letters : DeadLetters
    clock : callable
        UTC.
    monotonic : callable
        Seconds.
    background : callable
        Runs a look beside who asks; see `SharedLook`.
    """

    def __init__(
        self,
        cache: ModelCache,
        models: Sequence[str],
        sinks: Sequence[Sink],
        status: StatusBoard,
        spill: Spill,
        dead_letters: DeadLetters,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
        background: Callable[[Work], None] = in_background,
    ) -> None:
        self._cache = cache
        self._models = tuple(models)
        self._sinks = tuple(sinks)
        self._status = status
        self._spill = spill
        self._dead_letters = dead_letters
        self._clock = clock
        self._models_found = SharedLook(self._look_for_models, monotonic, background)
        self._storage_found = SharedLook(self._look_into_storage, monotonic, background)

    def document(self) -> dict[str, Any]:
        """Tell how each part is; names, states, counts and ages only."""
        models, storage = self._models_found.begin(), self._storage_found.begin()
        found = storage.found()
        # where the one was silent, nobody waits for the other too
        is_looked = models.is_over() if found is None else models.found() is not None
        found = found or _Found()
        own, now = self._own_models(known=is_looked or found.is_reachable), self._clock()
        parts = {
            "settings": {"state": "ok"},
            "storage": {"state": self._storage_state(found)},
            **{f"model:{name}": _model_part(own[name], found.records, name, now) for name in own},
            "scoring": _scoring_part(found.records, now),
            **{f"sink:{sink.name}": _sink_part(sink.name, found.records) for sink in self._sinks},
            "spill": _spill_part(found.depth, now),
            "dead_letters": _dead_letters_part(found.letters, now),
        }
        return health_document(parts)

    def _own_models(self, *, known: bool) -> dict[str, ModelStatus]:
        """Describe this process's models; where nobody answered, all are out of reach."""
        found = model_statuses(self._cache.latest(), self._cache.now())
        own = {name: found.get(name, ModelStatus(state="unreachable")) for name in self._models}
        if known:
            return own
        return {
            name: msgspec.structs.replace(one, state="unreachable") for name, one in own.items()
        }

    def _storage_state(self, found: _Found) -> str:
        if not found.is_reachable:
            return "unreachable"
        return "ok" if self._status.can_write() else "unwritable"

    def _look_for_models(self) -> Outcome[Snapshot]:
        snapshot = self._cache.refresh(at_most_every=shared_looks.GOOD_FOR_S)
        return snapshot, all(one.state != "unreachable" for one in snapshot.states.values())

    def _look_into_storage(self) -> Outcome[_Found]:
        found = _Found()
        try:
            found = replace(found, records=self._status.fresh_records())
            found = replace(found, depth=self._spill.depth())
            found = replace(found, letters=self._dead_letters.summary(self._clock()))
        except StorageUnavailableError as error:
            _log.warning("%s", error)
            return found, False
        return replace(found, is_reachable=True), True


def health_document(parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Join parts to the whole; the worst of them counts."""
    states = {part["state"] for part in parts.values()}
    if "unavailable" in states:
        status = "unavailable"
    else:
        status = "ok" if states <= {"ok", "idle"} else "degraded"
    return {"status": status, "parts": parts}


def _model_part(
    own: ModelStatus, records: Sequence[SeenRecord], name: str, now: datetime
) -> dict[str, Any]:
    """Join what this process finds in storage with what the scorers use."""
    in_use = sorted({r.models[name].version or "" for r in records if name in r.models} - {""})
    refused = {r.models[name].refused_version for r in records if name in r.models}
    refused_version = own.refused_version or next(iter(refused - {None}), None)
    part: dict[str, Any] = {
        "state": "ok" if own.state == "ready" else own.state,
        "version": own.version,
        "scorers_use": in_use,
        "age_s": own.age_s,
        "threshold_from": own.threshold_scale,
    }
    if refused_version:
        part |= {"state": "refused", "refused_version": refused_version}
    since = now - timedelta(seconds=own.age_s or 0.0)  # what is older may know no model yet
    without = sum(
        name in r.models and r.models[name].version is None and r.written_time > since
        for r in records
    )
    if without:
        part |= {"state": "unavailable", "scorers_without": without}
    if own.version is None:
        part["state"] = "unavailable"
        part["found"] = own.state
    elif not own.has_threshold:
        part["is_anomaly"] = "null: set a threshold in the artifact or its manifest"
    return part


def _scoring_part(records: Sequence[SeenRecord], now: datetime) -> dict[str, Any]:
    if not records:
        return {"state": "idle", "processes": 0}
    counts = {
        name: sum(record.counts.get(name, 0) for record in records)
        for name in ("received", "scored", "held", "anomalies", "collided", "unaccounted")
    }
    rejected: dict[str, int] = {}
    for record in records:
        for reason, n in record.rejected.items():
            rejected[reason] = rejected.get(reason, 0) + n
    holding = sum(record.is_holding for record in records)
    last = max(record.last_batch_time for record in records)
    clock_off_s = max((record.clock_off_s for record in records), key=abs)
    is_off = abs(clock_off_s) > FRESH_FOR.total_seconds()
    return {
        "state": "degraded" if counts["unaccounted"] or holding or is_off else "ok",
        "processes": len(records),
        "holding": holding,
        "last_batch_age_s": age_s(last, now),
        "lag_p50_ms": max(record.lag_p50_ms for record in records),
        "lag_max_ms": max(record.lag_max_ms for record in records),
        "clock_off_s": clock_off_s,
        "counts": counts,
        "rejected": rejected,
    }


def _sink_part(name: str, records: Sequence[SeenRecord]) -> dict[str, Any]:
    """Join what the scorers report: the worst breaker, and what became of the readings."""
    breakers = {record.sinks.get(name, "ok") for record in records}
    part: dict[str, Any] = {"state": "ok" if breakers <= {"ok"} else "degraded"}
    part["breaker"] = next((one for one in ("open", "busy", "trying") if one in breakers), "ok")
    remedy = next((r.remedies[name] for r in records if name in r.remedies), None)
    if remedy:
        part["remedy"] = remedy
    for what in ("written", "spilled", "refused"):
        part[what] = sum(record.stores.get(f"{name}:{what}", 0) for record in records)
    return part


def _spill_part(depth: SpillDepth, now: datetime) -> dict[str, Any]:
    """Tell how much waits for stores that were down, and since when."""
    part: dict[str, Any] = {
        "state": "degraded" if depth.n_files else "ok",
        "batches": depth.n_files,
        "megabytes": round(depth.n_bytes / 1e6, 1),
    }
    if depth.oldest is not None:
        part["oldest_age_s"] = age_s(depth.oldest, now)
    return part


def _dead_letters_part(depth: DeadLetterDepth | None, now: datetime) -> dict[str, Any]:
    """Tell how many files of rejected readings there are; they alone are no fault of the app."""
    if depth is None:
        return {"state": "ok"}
    part: dict[str, Any] = {"state": "ok", "files": depth.n_files, "is_complete": depth.is_complete}
    if depth.oldest is not None:
        part["oldest_age_s"] = age_s(depth.oldest, now)
    return part
