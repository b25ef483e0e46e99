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
from scoring.shared_looks import Look, Outcome, SharedLook, Work
from scoring.spill import Spill
from scoring.spill_depth import SpillDepth
from scoring.status import FRESH_FOR, ModelStatus, SeenRecord, StatusBoard, model_statuses

_log = logging.getLogger(__name__)
# Who asks waits no longer for a count where the one before it can be told.
_COUNT_PATIENCE_S = 2.0
# Counts are half an hour apart at the most; of one that was made hours ago nothing follows.
_COUNT_TOLD_FOR_S = 3_600.0


@dataclass(frozen=True, slots=True)
class _Found:
    """What a look for the scorers' records found."""

    records: Sequence[SeenRecord] = ()
    is_reachable: bool = False


@dataclass(frozen=True, slots=True)
class _Counted:
    """How much was last found to lie in storage; None where that is not known yet."""

    letters: DeadLetterDepth | None = None
    depth: SpillDepth | None = None
    at: float = float("-inf")  # when the spill was counted, monotonic


class SystemHealth:
    """How the system is, as this process finds it; safe to use from any thread.

    Guarantee: storage is looked into, and models are looked for, beside who asks, once for all who
    do, so that a silent storage holds up nobody longer than `SharedLook` says, and no batch
    at all. Records that are not found by then count as unreachable. What waits is counted beside
    that, for as long as it takes; meanwhile the count before it is told, for an hour at most.

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
        self._monotonic = monotonic
        self._counted = _Counted()
        self._models_found = SharedLook(self._look_for_models, monotonic, background)
        self._records_found = SharedLook(self._look_for_records, monotonic, background)
        self._all_counted = SharedLook(self._count, monotonic, background)

    def document(self) -> dict[str, Any]:
        """Tell how each part is; names, states, counts and ages only."""
        models, looked = self._models_found.begin(), self._records_found.begin()
        found = looked.found()
        counting = self._all_counted.begin() if found and found.is_reachable else None
        # where the one was silent, nobody waits for the other too
        is_looked = models.is_over() if found is None else models.found() is not None
        is_loading = counting is not None and not models.is_over()
        own = self._own_models(known=is_looked or counting is not None, is_loading=is_loading)
        is_reachable = counting is not None and self._ended_well(counting, looked.patience_left_s())
        records, now = found.records if found else (), self._clock()
        parts = {
            "settings": {"state": "ok"},
            "storage": {"state": self._storage_state(is_reachable=is_reachable)},
            **{f"model:{name}": _model_part(own[name], records, name, now) for name in own},
            "scoring": _scoring_part(records, now),
            **{f"sink:{sink.name}": _sink_part(sink.name, records) for sink in self._sinks},
            "spill": _spill_part(self._told_depth(), now),
            "dead_letters": _dead_letters_part(self._counted.letters, now),
        }
        return health_document(parts)

    def _ended_well(self, counting: Look[bool], most_s: float) -> bool:
        """Wait shortly for a count; tell whether it did not fail, for it may take long."""
        patience_s = most_s if self._told_depth() is None else min(most_s, _COUNT_PATIENCE_S)
        return counting.found(patience_s) is not False

    def _told_depth(self) -> SpillDepth | None:
        counted = self._counted
        is_old = self._monotonic() - counted.at > _COUNT_TOLD_FOR_S
        return None if is_old else counted.depth

    def _own_models(self, *, known: bool, is_loading: bool) -> dict[str, ModelStatus]:
        """Describe this process's models; where nobody answered, all are out of reach."""
        found = model_statuses(self._cache.latest(), self._cache.now())
        own = {name: found.get(name, ModelStatus(state="unreachable")) for name in self._models}
        if not known:
            return {name: _in_state("unreachable", one) for name, one in own.items()}
        return {name: _as_loading(one) for name, one in own.items()} if is_loading else own

    def _storage_state(self, *, is_reachable: bool) -> str:
        if not is_reachable:
            return "unreachable"
        return "ok" if self._status.can_write() else "unwritable"

    def _look_for_models(self) -> Outcome[Snapshot]:
        snapshot = self._cache.refresh(at_most_every=shared_looks.GOOD_FOR_S)
        return snapshot, all(one.state != "unreachable" for one in snapshot.states.values())

    def _look_for_records(self) -> Outcome[_Found]:
        try:
            return _Found(self._status.fresh_records(), is_reachable=True), True
        except StorageUnavailableError as error:
            _log.warning("%s", error)
            return _Found(), False

    def _count(self) -> Outcome[bool]:
        """Count what waits; of a spill of hundreds of thousands that takes minutes."""
        try:
            letters = self._dead_letters.summary(self._clock())
            self._counted = replace(self._counted, letters=letters)
            depth = self._spill.depth()
            self._counted = replace(self._counted, depth=depth, at=self._monotonic())
        except StorageUnavailableError as error:
            _log.warning("%s", error)
            return False, False
        return True, True


def health_document(parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Join parts to the whole; the worst of them counts."""
    states = {part["state"] for part in parts.values()}
    if "unavailable" in states:
        status = "unavailable"
    else:
        status = "ok" if states <= {"ok", "idle"} else "degraded"
    return {"status": status, "parts": parts}


def _in_state(state: str, own: ModelStatus) -> ModelStatus:
    return msgspec.structs.replace(own, state=state)


def _as_loading(own: ModelStatus) -> ModelStatus:
    """Say that a first version is being loaded, unless the current one is known to be bad."""
    is_first = own.version is None and own.state != "refused"
    return _in_state("loading", own) if is_first else own


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


def _spill_part(depth: SpillDepth | None, now: datetime) -> dict[str, Any]:
    """Tell how much waits for stores that were down, and since when."""
    if depth is None:
        return {"state": "unknown"}
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
