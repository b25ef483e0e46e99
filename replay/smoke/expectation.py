"""Learns from the app itself what must come of the known events."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from replay.smoke.app_client import AppAnswer, AppClient
from replay.smoke.known_events import KnownEvents
from scoring.errors import ScoringError

_MOST_FEATURES = 500  # one question each
_REMEDIES = {
    401: "the key is none of this app's: take it from `az functionapp keys list`, functionKeys",
    403: "this network may not enter, or the key is none of this app's: see the app's access"
    " restrictions, and `az functionapp keys list`",
    404: "no function answers there: was the app deployed, and is URL its address without /api?",
    503: "the app cannot score yet: /api/health says why",
}
_REASONS = {
    "no_route": "no model takes sensors named smoke-*: add a route such as *=default to"
    " MODEL_ROUTES",
    "feature_not_a_number": "is one of FEATURES no feature of the model?",
}


class NotScoredError(ScoringError):
    """The app did not score what it was asked to.

    Parameters
    ----------
    found : str
    look_at : str
    """

    def __init__(self, found: str, look_at: str) -> None:
        self.found = found
        self.look_at = look_at
        super().__init__(f"{found}: {look_at}")


@dataclass(frozen=True, slots=True)
class Expected:
    """What a store must hold of one reading: as it was scored ad hoc."""

    model: str
    model_version: str
    score: float
    is_anomaly: bool | None


def learn_features(app: AppClient, sensor_id: str, time_ns: int) -> tuple[str, ...]:
    """Ask which features the model needs: what is missing is named, one after the other.

    Returns
    -------
    tuple of str
        Empty where the app fills what is missing (`MISSING_FEATURES=median`).

    Raises
    ------
    NotScoredError
        If the app denies, or rejects for another reason.
    """
    values: dict[str, float] = {}
    while len(values) <= _MOST_FEATURES:
        reading = {"sensor_id": sensor_id, "timestamp": time_ns, "features": values}
        document = _scored(app.score(reading), {200, 422})
        missing = _missing(document)
        if missing is None:
            _check_none_rejected(document)
            return tuple(values)
        values[missing] = 1.0
    raise NotScoredError(f"more than {_MOST_FEATURES} features are missing", "give FEATURES=a,b,c")


def expect(app: AppClient, events: KnownEvents) -> dict[str, Expected]:
    """Score the good readings ad hoc; returns by sensor id what must be stored.

    Raises
    ------
    NotScoredError
        If any is not scored.
    """
    document = _scored(app.score(list(events.good)), {200, 422})
    _check_none_rejected(document)
    found = {events.good[one["index"]]["sensor_id"]: _expected(one) for one in document["scored"]}
    if len(found) < len(events.good):
        raise NotScoredError(f"{len(found)} of {len(events.good)} scored", "see the app's log")
    return found


def _expected(one: Mapping[str, Any]) -> Expected:
    return Expected(one["model"], one["model_version"], one["score"], one["is_anomaly"])


def _scored(answer: AppAnswer, good: set[int]) -> Mapping[str, Any]:
    if answer.status in good and answer.document is not None:
        return answer.document
    error = (answer.document or {}).get("error")
    code = f" {error['code']}" if isinstance(error, dict) and "code" in error else ""
    remedy = _REMEDIES.get(answer.status, "see the app's log")
    raise NotScoredError(f"POST score answered {answer.status}{code}", remedy)


def _missing(document: Mapping[str, Any]) -> str | None:
    for one in document["rejected"]:
        if one["reason"] == "missing_feature":
            return str(one["field"])
    return None


def _check_none_rejected(document: Mapping[str, Any]) -> None:
    reasons = Counter(one["reason"] for one in document["rejected"])
    if reasons:
        named = ", ".join(f"{n} {reason}" for reason, n in reasons.most_common())
        remedy = _REASONS.get(next(iter(reasons)), "docs/contracts.md lists the reasons")
        raise NotScoredError(f"rejected: {named}", remedy)
