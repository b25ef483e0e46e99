"""Reads what health tells: what is wrong where, and how much was scored."""

from collections.abc import Mapping
from typing import Any

from replay.smoke.app_client import AppAnswer
from replay.smoke.checks import Check
from replay.smoke.comparison import HealthCounts

_GOOD = frozenset({"ok", "idle"})
_REMEDIES = {
    "settings": "mend these app settings; docs/settings.md explains them",
    "storage": "check the storage account, its network rules and the roles of the app's identity",
    "model": "publish a model with `python -m training publish`; its log line says why the current"
    " version is not used",
    "scoring": "batches are held or unaccounted for: see the log of score_events",
    "sink": "check the store, its network rules and what the app may write there; what is scored"
    " meanwhile waits in the spill",
    "spill": "a store was or is down; drain_spill writes back what waits",
}
# What passes by itself, by the state of a part or what it found.
_PASSING = {
    "loading": "the app is still loading its first model: run this again in a minute",
    "unknown": "the app is still counting what waits, which is much: run this again in 5 minutes",
}
_NO_HEALTH = (
    "the answer is not this app's: is URL its address without /api, was the app deployed, and does"
    " it start (`az functionapp log deployment show`, the roles on its storage account)?"
)


def health_checks(answer: AppAnswer) -> list[Check]:
    """Check each part; only what is wrong has a line of its own."""
    document = answer.document or {}
    parts = document.get("parts")
    if not isinstance(parts, dict):
        found = f"{answer.status}, no health"
        return [Check("GET /api/health", "200", found, "WRONG", _NO_HEALTH)]
    wrong = [_part(name, part) for name, part in parts.items() if part["state"] not in _GOOD]
    status = f"{answer.status} {document['status']}"
    return wrong or [Check("GET /api/health", "200 ok", status, "ok")]


def _part(name: str, part: Mapping[str, Any]) -> Check:
    problems = part.get("problems")
    details = "; ".join(problems) if problems else _details(part)
    remedy = _PASSING.get(part.get("found", part["state"])) or _REMEDIES.get(
        name.split(":", maxsplit=1)[0], "see the app's log"
    )
    advice = f"{remedy} ({details})" if details else remedy
    return Check(f"health: {name}", "ok", str(part["state"]), "WRONG", advice)


def _details(part: Mapping[str, Any]) -> str:
    named = ("found", "refused_version", "scorers_without", "holding", "breaker", "batches")
    return ", ".join(f"{name}: {part[name]}" for name in named if part.get(name))


def sink_names(answer: AppAnswer) -> list[str]:
    """Return which stores the app writes to."""
    parts = (answer.document or {}).get("parts", {})
    return [name.removeprefix("sink:") for name in parts if name.startswith("sink:")]


def counts(answer: AppAnswer) -> HealthCounts:
    """Return the counts of all scorers together."""
    part = (answer.document or {}).get("parts", {}).get("scoring", {})
    found = part.get("counts", {})
    return HealthCounts(found.get("received", 0), found.get("scored", 0), part.get("rejected", {}))
