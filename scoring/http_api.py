"""Answers HTTP requests, knowing nothing of the web framework in front of it."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from scoring.cache import ModelCache
from scoring.clocks import age_s
from scoring.dead_letters import DeadLetterDepth, DeadLetters
from scoring.errors import (
    ModelUnavailableError,
    ScoringError,
    SettingsError,
    SinkUnavailableError,
    StorageUnavailableError,
)
from scoring.event_batch import EventBatch
from scoring.event_time import EPOCH
from scoring.events import Rejected
from scoring.pipeline import Outcome, Policy, score_batch
from scoring.request_delivery import identities, store_request
from scoring.routing import Routes
from scoring.scored import Sink, scored_documents
from scoring.spill import Spill
from scoring.spill_depth import SpillDepth
from scoring.status import FRESH_FOR, ModelStatus, SeenRecord, StatusBoard, model_statuses

_log = logging.getLogger(__name__)
# Far above any ad hoc question; what is larger belongs on the event hub.
_LARGEST_BODY = 10_000_000
_ADHOC = "adhoc"
# Anyone may ask for health; this keeps the questions that reach storage rare.
_HEALTH_REFRESH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Response:
    """Status code and JSON document."""

    status: int
    document: Mapping[str, Any]

    def body(self) -> bytes:
        """Encode the document."""
        return msgspec.json.encode(self.document)


def error_response(status: int, code: str, message: str, details: Iterable[str] = ()) -> Response:
    """Give an error the one shape that all of them have."""
    document = {"error": {"code": code, "message": message, "details": list(details)}}
    return Response(status, document)


@dataclass(frozen=True, slots=True)
class HttpApi:
    """The routes, as methods: plain values in, `Response` out."""

    cache: ModelCache
    policy: Policy
    sinks: tuple[Sink, ...]
    status: StatusBoard
    spill: Spill
    dead_letters: DeadLetters
    clock: Callable[[], datetime]

    def score(self, body: bytes, query: Mapping[str, str]) -> Response:
        """Score the readings in a request body.

        Parameters
        ----------
        body : bytes
            One reading, an array, or one reading a line.
        query : mapping of str to str
            `model` picks a model; `store=true` writes the scores to the sinks.
        """
        if len(body) > _LARGEST_BODY:
            return error_response(
                413, "body_too_large", f"send at most {_LARGEST_BODY} bytes a request"
            )
        model = query.get("model")
        if model is not None and model not in self.policy.routes.models:
            names = ", ".join(self.policy.routes.models)
            return error_response(404, "unknown_model", f"there is no such model; use {names}")
        try:
            return self._scored(body, model, store=query.get("store", "").lower() == "true")
        except ModelUnavailableError as error:
            return error_response(503, "no_model", str(error))
        except Exception:  # noqa: BLE001  # the request is the boundary; its caller is told
            _log.exception("scoring a request failed")
            return error_response(500, "internal", "a fault of this app; its log says more")

    def _scored(self, body: bytes, model: str | None, *, store: bool) -> Response:
        batch = self._as_batch(body)
        policy = self.policy if model is None else _only(self.policy, model)
        outcome = score_batch(batch, self.cache.snapshot(), policy)
        faults = store_request(self.sinks, outcome) if store and outcome.scored else {}
        if faults:
            return self._not_stored(outcome, faults)
        return Response(200 if outcome.scored else 422, _score_document(outcome))

    def _not_stored(self, outcome: Outcome, faults: Mapping[str, Exception]) -> Response:
        """Tell which stores have it, and how to send it again as the same readings."""
        stored = ", ".join(sink.name for sink in self.sinks if sink.name not in faults)
        message = (
            f"scored; stored by: {stored or 'none'}; not stored, or in part, by:"
            f" {', '.join(faults)}; send the same again, each reading with its id and time"
            " in details, so that no store has it twice"
        )
        is_tie_broken = self.policy.keys.time_tie_break == "sequence"
        details = identities(outcome, is_tie_broken=is_tie_broken)
        if all(isinstance(fault, SinkUnavailableError) for fault in faults.values()):
            return error_response(503, "not_stored", message, details)
        return error_response(500, "internal", message, details)

    def _as_batch(self, body: bytes) -> EventBatch:
        now = (self.clock() - EPOCH) // timedelta(microseconds=1) * 1_000
        return EventBatch(_ADHOC, _ADHOC, [body], [0], [now], [_ADHOC], [None])

    def health(self) -> Response:
        """Tell how each part is; names, states, counts and ages only."""
        snapshot = self.cache.refresh(at_most_every=_HEALTH_REFRESH_SECONDS)
        own, now = model_statuses(snapshot, self.cache.now()), self.clock()
        storage = "ok"
        records: list[SeenRecord] = []
        depth, letters = SpillDepth(0, 0, None), None
        try:
            records += self.status.fresh_records()
            depth = self.spill.depth()
            letters = self.dead_letters.summary(self.clock())
            storage = "ok" if self.status.can_write() else "unwritable"
        except StorageUnavailableError as error:
            _log.warning("%s", error)
            storage = "unreachable"
        parts = {
            "settings": {"state": "ok"},
            "storage": {"state": storage},
            **{f"model:{name}": _model_part(one, records, name, now) for name, one in own.items()},
            "scoring": _scoring_part(records, now),
            **{f"sink:{sink.name}": _sink_part(sink.name, records) for sink in self.sinks},
            "spill": _spill_part(depth, now),
            "dead_letters": _dead_letters_part(letters, now),
        }
        document = _health(parts)
        return Response(503 if document["status"] == "unavailable" else 200, document)


def settings_response(error: SettingsError) -> Response:
    """Answer health while the settings are wrong: every problem, and what to set."""
    part = {"state": "unavailable", "problems": list(error.problems)}
    return Response(503, _health({"settings": part}))


def failure_response(error: ScoringError) -> Response:
    """Answer any route while the app cannot work."""
    details = error.problems if isinstance(error, SettingsError) else ()
    code = "bad_settings" if isinstance(error, SettingsError) else "unavailable"
    return error_response(503, code, "the app cannot work yet; see /api/health", details)


def _only(policy: Policy, model: str) -> Policy:
    return Policy(
        policy.keys, Routes((), model), policy.missing_features, policy.attribution_max_readings
    )


def _score_document(outcome: Outcome) -> dict[str, Any]:
    used = {(one.model, one.model_version) for one in outcome.scored}
    model, version = used.pop() if len(used) == 1 else (None, None)
    scored = [document for one in outcome.scored for document in scored_documents(one)]
    return {
        "model": model,
        "model_version": version,
        "scored": sorted(scored, key=lambda document: document["index"]),
        "rejected": [_rejected_document(one) for one in outcome.rejected],
    }


def _rejected_document(one: Rejected) -> dict[str, Any]:
    return {"index": one.index, "reason": one.reason, "field": one.field, "message": one.message}


def _health(parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
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
