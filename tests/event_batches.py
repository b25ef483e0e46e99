"""Batches of events as the trigger delivers them."""

import json
from collections.abc import Sequence
from typing import Any

import azure.functions as func
from azure.functions import meta
from azure.functions.eventhub import EventHubTriggerConverter

from scoring.event_batch import EventBatch
from tests.small_models import FEATURES, normal_readings

# 2026-05-01T12:00:00.123Z
ENQUEUED_NS = 1_777_636_800_123_000_000
ENQUEUED_TEXT = "2026-05-01T12:00:00.123"  # without a zone, as the real host sends it


def reading(number: int, sensor: str = "pump-1", **changes: Any) -> dict[str, Any]:
    """Make one good reading; each number has values and a time of its own."""
    values = normal_readings(1, number + 10_000)[0].tolist()
    time_ms = ENQUEUED_NS // 1_000_000 + number
    return {
        "sensor_id": sensor,
        "timestamp": time_ms,
        **dict(zip(FEATURES, values, strict=True)),
    } | changes


def body(number: int, sensor: str = "pump-1", **changes: Any) -> bytes:
    """Make the body of an event that holds one good reading."""
    return json.dumps(reading(number, sensor, **changes)).encode()


def body_without(key: str, number: int = 0, sensor: str = "pump-1") -> bytes:
    """Make the body of an event whose reading lacks one key."""
    found = reading(number, sensor)
    return json.dumps({name: value for name, value in found.items() if name != key}).encode()


def event_batch(
    bodies: Sequence[bytes],
    *,
    hub: str = "hub",
    partition: str = "0",
    first: int = 0,
    partition_key: str | None = None,
) -> EventBatch:
    """Make a batch whose sequence numbers begin with `first`."""
    n = len(bodies)
    return EventBatch(
        hub=hub,
        partition=partition,
        bodies=list(bodies),
        sequence_numbers=list(range(first, first + n)),
        enqueued_ns=[ENQUEUED_NS] * n,
        partition_keys=[partition_key] * n,
        device_ids=[None] * n,
    )


def trigger_metadata(n: int, *, partition: str = "0", first: int = 0) -> dict[str, str]:
    """Write the metadata that the host sends beside `n` bodies, as JSON texts by name."""
    numbers = range(first, first + n)
    system = [
        {
            "x-opt-sequence-number": number,
            "x-opt-offset": str(number),
            "SequenceNumber": number,
            "Offset": number,
            "PartitionKey": None,
            "EnqueuedTimeUtc": ENQUEUED_TEXT,
        }
        for number in numbers
    ]
    return {
        "SystemPropertiesArray": json.dumps(system),
        "PropertiesArray": json.dumps([{}] * n),
        "PartitionContext": json.dumps({"PartitionId": partition, "EventHubName": "readings"}),
    }


def trigger_events(bodies: Sequence[bytes], **metadata: Any) -> Sequence[func.EventHubEvent]:
    """Make the events of a batch through azure-functions' own converter."""
    texts = trigger_metadata(len(bodies), **metadata)
    decoded = EventHubTriggerConverter.decode(
        meta.Datum(_CollectionBytes(list(bodies)), "collection_bytes"),
        trigger_metadata={name: meta.Datum(text, "json") for name, text in texts.items()},
    )
    assert isinstance(decoded, Sequence)
    return decoded


class _CollectionBytes:
    def __init__(self, bodies: list[bytes]) -> None:
        self.bytes = bodies
