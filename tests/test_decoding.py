"""Tests of scoring.decoding: events of azure-functions as columns."""

import json
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import azure.functions as func
import pytest
from azure.functions import meta
from azure.functions.eventhub import EventHubTriggerConverter

from scoring import decoding
from scoring.decoding import DecodedEvents, event_batch
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


def test_the_metadata_of_a_batch_are_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each event would convert them all again: a second for 1,000 events."""
    monkeypatch.setenv("FAST_DECODING", "false")
    events = trigger_events([b"{}"] * 1_000)
    started = time.perf_counter()
    event_batch(events, "hub", NOW)
    assert time.perf_counter() - started < 0.3
    assert [event for event in events if event._trigger_metadata_pyobj] == events[:1]


@pytest.fixture(autouse=True)
def _installed() -> Iterator[None]:
    """Put the fast decoding in place, and take it away afterwards."""
    stock = EventHubTriggerConverter.decode_multiple_events
    decoding.install()
    yield
    EventHubTriggerConverter.decode_multiple_events = stock


def decode(system: list[dict[str, Any]], kind: str = "collection_bytes") -> Sequence[Any]:
    """Decode events with these system properties through the library's own entry."""
    bodies = [b"{}"] * len(system)
    value = SimpleNamespace(bytes=bodies, string=[body.decode() for body in bodies])
    metadata = {
        "SystemPropertiesArray": meta.Datum(json.dumps(system), "json"),
        "PartitionContext": meta.Datum('{"PartitionId": "3"}', "json"),
    }
    return EventHubTriggerConverter.decode(meta.Datum(value, kind), trigger_metadata=metadata)


def properties(number: int = 5, **changes: Any) -> dict[str, Any]:
    """Make the system properties of one event."""
    return {
        "SequenceNumber": number,
        "Offset": number,
        "PartitionKey": "pump-1",
        "EnqueuedTimeUtc": "2026-05-01T12:00:00.123",
        "iothub-connection-device-id": "device-7",
    } | changes


TIMES = [
    "2026-05-01T12:00:00",
    "2026-05-01T12:00:00.1",
    "2026-05-01T12:00:00.123",
    "2026-05-01T12:00:00.1234567",
    "2026-05-01T12:00:00.123Z",
    "2026-05-01T12:00:00.1234567Z",
    "2026-05-01T12:00:00+00:00",
]


@pytest.mark.parametrize("time_text", TIMES)
def test_columns_are_what_the_library_decodes(
    time_text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every column, for every form of time that the host may send."""
    system = [properties(n, EnqueuedTimeUtc=time_text) for n in range(3)]
    fast = decode(system)
    assert isinstance(fast, DecodedEvents)
    monkeypatch.setenv("FAST_DECODING", "false")
    stock = decode(system)
    assert isinstance(stock, list)
    assert event_batch(fast, "hub", NOW) == event_batch(stock, "hub", NOW)
    assert event_batch(fast, "hub", NOW).device_ids == ["device-7"] * 3


def test_whoever_wants_events_gets_those_of_the_library() -> None:
    """Another function of the same app may use bodies, offsets and metadata of each."""
    events = decode([properties(1), properties(2)])
    assert [event.offset for event in events] == [1, 2]
    assert events[1].sequence_number == 2
    assert events[0].metadata["PartitionContext"] == {"PartitionId": "3"}
    assert len(events[:1]) == 1


def test_offsets_of_a_replicated_namespace_cost_no_batch() -> None:
    """They are no integers; the library fails on them before any code of ours runs."""
    events = decode([properties(Offset="1:2:100")])
    assert event_batch(events, "hub", NOW).sequence_numbers == [5]


@pytest.mark.parametrize(
    "system",
    [
        [properties(EnqueuedTimeUtc="05/01/2026 12:00:00.5+00:00")],
        [properties(SequenceNumber="5")],
        [{name: value for name, value in properties().items() if name != "EnqueuedTimeUtc"}],
    ],
    ids=["another form of time", "a number as text", "no time"],
)
def test_what_is_unusual_is_left_to_the_library(system: list[dict[str, Any]]) -> None:
    """The stock way is taken for the whole batch."""
    assert isinstance(decode(system), list)


def test_text_bodies_are_left_to_the_library() -> None:
    """Our own trigger asks for bytes; another one may not."""
    assert isinstance(decode([properties()], "collection_string"), list)


def test_metadata_that_do_not_fit_the_bodies_fail_as_in_the_library() -> None:
    """Nothing is guessed about which body is whose."""
    value = SimpleNamespace(bytes=[b"{}", b"{}"])
    metadata = {"SystemPropertiesArray": meta.Datum(json.dumps([properties()]), "json")}
    with pytest.raises(AssertionError, match="mismatched"):
        EventHubTriggerConverter.decode(
            meta.Datum(value, "collection_bytes"), trigger_metadata=metadata
        )


def test_an_unknown_version_decodes_by_itself(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One line says so."""
    monkeypatch.setattr(func, "__version__", "9.9.9")
    assert decoding.install() is False
    assert [record.getMessage() for record in caplog.records] == [
        "stock decoding of events, slower: azure-functions 9.9.9 is not known"
    ]


def test_a_library_that_reads_times_in_another_way_decodes_by_itself(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The proof is made against what the library answers now."""
    monkeypatch.setattr(EventHubTriggerConverter, "_parse_datetime", lambda _text: NOW)
    assert decoding.install() is False
    assert "in another way" in caplog.text
