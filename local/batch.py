"""A batch of stored events in the form that the Functions host sends."""

import functools
from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import msgspec
from azure.functions import eventhub, meta

from local.functions import EventHubFunction
from local.log import StoredEvent


def decode_batch(function: EventHubFunction, partition: int, events: Sequence[StoredEvent]) -> Any:
    """Return what azure-functions makes of a batch.

    The converter is looked up at each call, so that an app which replaces a part of it sees
    its own.

    Raises
    ------
    Exception
        Whatever the library raises for a batch that it cannot convert, as on Azure.
    """
    bodies = [event.body for event in events]
    return eventhub.EventHubTriggerConverter.decode(
        _data(bodies, function.data_type), trigger_metadata=_metadata(function, partition, events)
    )


def _data(bodies: list[bytes], data_type: str) -> meta.Datum:
    if data_type == "BINARY":
        return meta.Datum(SimpleNamespace(bytes=bodies), "collection_bytes")
    texts = [body.decode("utf-8", "replace") for body in bodies]
    if data_type == "STRING":  # the host leaves empty texts out, and the converter then raises
        return meta.Datum(SimpleNamespace(string=[t for t in texts if t]), "collection_string")
    return meta.Datum("[" + ",".join(texts) + "]", "json")


def _metadata(
    function: EventHubFunction, partition: int, events: Sequence[StoredEvent]
) -> dict[str, meta.Datum]:
    system = [_system_properties(event) for event in events]
    context = {
        "FullyQualifiedNamespace": "localhost",
        "EventHubName": function.hub,
        "ConsumerGroup": function.consumer_group,
        "PartitionId": str(partition),
    }
    return {
        "PartitionContext": _json(context),
        "SystemPropertiesArray": _json(system),
        "PropertiesArray": meta.Datum("[" + ",".join(e.properties for e in events) + "]", "json"),
        "SequenceNumberArray": _json([event.sequence_number for event in events]),
        "OffsetArray": _json([str(event.offset) for event in events]),
        "PartitionKeyArray": _json([event.partition_key for event in events]),
        "EnqueuedTimeUtcArray": _json([properties["EnqueuedTimeUtc"] for properties in system]),
    }


def _system_properties(event: StoredEvent) -> dict[str, Any]:
    enqueued_time = enqueued_time_text(event.enqueued_time_ns // 1_000_000)
    properties = {
        "x-opt-sequence-number": event.sequence_number,
        "x-opt-offset": str(event.offset),
        "x-opt-enqueued-time": enqueued_time + "+00:00",
        "SequenceNumber": event.sequence_number,
        "Offset": event.offset,
        "PartitionKey": event.partition_key,
        "EnqueuedTimeUtc": enqueued_time,
    }
    if event.partition_key is not None:
        properties["x-opt-partition-key"] = event.partition_key
    return properties


@functools.lru_cache(maxsize=64)  # the events of one append share their time
def enqueued_time_text(time_ms: int) -> str:
    """Return a time as the host writes it: UTC without a zone, zeros at the end left out.

    >>> enqueued_time_text(1_777_636_800_120)
    '2026-05-01T12:00:00.12'
    """
    moment = datetime.fromtimestamp(time_ms // 1_000, tz=UTC).replace(tzinfo=None)
    fraction = f".{time_ms % 1_000:03}".rstrip("0").rstrip(".")
    return moment.isoformat() + fraction


def _json(value: object) -> meta.Datum:
    return meta.Datum(msgspec.json.encode(value).decode(), "json")
