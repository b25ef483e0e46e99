"""Answers HTTP requests, knowing nothing of the web framework in front of it."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from scoring.cache import ModelCache
from scoring.errors import (
    ModelUnavailableError,
    ScoringError,
    SettingsError,
    SinkUnavailableError,
)
from scoring.event_batch import EventBatch
from scoring.event_time import EPOCH
from scoring.events import Rejected
from scoring.health import SystemHealth, health_document
from scoring.pipeline import Outcome, Policy, score_batch
from scoring.request_delivery import identities, store_request
from scoring.routing import Routes
from scoring.scored import Sink, scored_documents

_log = logging.getLogger(__name__)
# Far above any ad hoc question; what is larger belongs on the event hub.
_LARGEST_BODY = 10_000_000
_ADHOC = "adhoc"


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
    system: SystemHealth
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
        document = self.system.document()
        return Response(503 if document["status"] == "unavailable" else 200, document)


def settings_response(error: SettingsError) -> Response:
    """Answer health while the settings are wrong: every problem, and what to set."""
    part = {"state": "unavailable", "problems": list(error.problems)}
    return Response(503, health_document({"settings": part}))


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
