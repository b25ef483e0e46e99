"""Rejections to keep as dead letters."""

from datetime import UTC, datetime

from scoring.event_batch import EventBatch
from scoring.events import Rejected
from scoring.storage import Container, Stored

NOW = datetime(2026, 5, 1, 12, 0, 5, tzinfo=UTC)


def rejected(batch: EventBatch, *events: int, reason: str = "invalid_json") -> list[Rejected]:
    """Reject events of a batch."""
    return [Rejected(i, 0, batch.bodies[i], reason, "expected JSON") for i in events]


def contents(container: Container) -> dict[str, bytes]:
    """Read every file there is."""
    found = {entry.path: container.get(entry.path) for entry in container.list()}
    return {path: file.data for path, file in found.items() if isinstance(file, Stored)}
