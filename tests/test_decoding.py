"""Tests of scoring.decoding: events of azure-functions as columns."""

import time
from datetime import UTC, datetime, timedelta, timezone

import azure.functions as func
import pytest

from scoring.decoding import event_batch
from tests.event_batches import ENQUEUED_NS, trigger_events

NOW = datetime(2026, 5, 1, 12, 0, 0, 5, UTC)
NOW_NS = 1_777_636_800_000_005_000


def test_a_batch_of_the_trigger_becomes_columns() -> None:
    """Bodies as they are, numbers, the hub's time in UTC, and where the batch comes from."""
    bodies = [b"{}", b"", b"\xff"]
    batch = event_batch(trigger_events(bodies, partition="7", first=40), "fallback", NOW)
    assert (batch.hub, batch.partition) == ("readings", "7")
    assert batch.bodies == bodies
    assert batch.sequence_numbers == [40, 41, 42]
    assert batch.enqueued_ns == [ENQUEUED_NS] * 3
    assert batch.partition_keys == [None] * 3


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(2026, 5, 1, 12, 0, 0, 5), NOW_NS),  # noqa: DTZ001  # as the host sends it
        (NOW, NOW_NS),
        (datetime(2026, 5, 1, 14, 0, 0, 5, timezone(timedelta(hours=2))), NOW_NS),
        (None, NOW_NS),
    ],
    ids=["naive", "UTC", "another zone", "absent"],
)
def test_the_enqueued_time_is_utc(moment: datetime | None, expected: int) -> None:
    """Without a zone it is UTC, whatever this machine's zone; where it is absent it is now."""
    event = func.EventHubEvent(body=b"{}", enqueued_time=moment)
    assert event_batch([event], "hub", NOW).enqueued_ns == [expected]


def test_the_keys_that_may_name_a_sensor_are_kept() -> None:
    """The partition key, and the device id of IoT Hub."""
    events = [
        func.EventHubEvent(body=b"{}", partition_key="pump-1"),
        func.EventHubEvent(body=b"{}", iothub_metadata={"connection-device-id": "device-7"}),
        func.EventHubEvent(body=b"{}"),
    ]
    batch = event_batch(events, "hub", NOW)
    names = [batch.fallback_sensor_id(event) for event in range(3)]
    assert names == ["pump-1", "device-7", "partition-unknown"]


def test_the_hub_of_the_settings_stands_in_where_the_host_tells_none() -> None:
    """An event without metadata."""
    batch = event_batch([func.EventHubEvent(body=b"{}")], "sensor-features", NOW)
    assert (batch.hub, batch.partition, batch.sequence_numbers) == (
        "sensor-features",
        "unknown",
        [0],
    )


def test_the_metadata_of_a_batch_are_asked_for_once() -> None:
    """Each event would convert them all again: a second for 1,000 events."""
    events = trigger_events([b"{}"] * 1_000)
    started = time.perf_counter()
    event_batch(events, "hub", NOW)
    assert time.perf_counter() - started < 0.3
    assert [event for event in events if event._trigger_metadata_pyobj] == events[:1]
