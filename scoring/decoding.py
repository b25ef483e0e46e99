"""Turns the events of azure-functions into columns."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from scoring.event_time import EPOCH
from scoring.events import EventBatch

if TYPE_CHECKING:
    import azure.functions as func

_DEVICE_ID = "connection-device-id"
_UNKNOWN = "unknown"


def event_batch(events: Sequence["func.EventHubEvent"], hub: str, now: datetime) -> EventBatch:
    """Read what the trigger delivered.

    Parameters
    ----------
    events : sequence of EventHubEvent
        One batch; all of one partition.
    hub : str
        Its name where the host does not tell it.
    now : datetime
        Stands in for an enqueued time that is absent.

    Notes
    -----
    The library converts the metadata of the whole batch for each event that is asked for it
    (1 s for 1,000 events), so only the first event is asked.
    """
    context = _partition_context(events[0]) if events else {}
    return EventBatch(
        hub=str(context.get("EventHubName") or hub),
        partition=str(context.get("PartitionId") or _UNKNOWN),
        bodies=[event.get_body() for event in events],
        sequence_numbers=[event.sequence_number or 0 for event in events],
        enqueued_ns=[_nanoseconds(event.enqueued_time or now) for event in events],
        partition_keys=[event.partition_key for event in events],
        device_ids=[(event.iothub_metadata or {}).get(_DEVICE_ID) for event in events],
    )


def _partition_context(event: "func.EventHubEvent") -> dict[str, Any]:
    context = (event.metadata or {}).get("PartitionContext")
    return context if isinstance(context, dict) else {}


def _nanoseconds(moment: datetime) -> int:
    """Convert a time of the host: UTC, though it comes without a zone."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    since = aware - EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000
