"""Tests of scoring.events: every reading has an identity, or a reason."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.errors import ReadingRejectedError
from scoring.event_batch import EventBatch
from scoring.events import ReadingKeys, read_events

NOW = 1_700_000_000 * 10**9
KEYS = ReadingKeys(("sensor_id", "device_id"))


def a_batch(*bodies: bytes, sequence: int = 41) -> EventBatch:
    """Return events of one partition, without any keys."""
    n = len(bodies)
    return EventBatch(
        hub="hub",
        partition="3",
        bodies=bodies,
        sequence_numbers=range(sequence, sequence + n),
        enqueued_ns=[NOW] * n,
        partition_keys=[None] * n,
        device_ids=[None] * n,
    )


def reading(**keys: Any) -> bytes:
    """Return the body of one reading."""
    return json.dumps(keys).encode()


def only_rejection(body: bytes) -> tuple[str, str | None]:
    """Return reason and field of the one rejection."""
    readings, rejected = read_events(a_batch(body), KEYS)
    assert len(readings) == 0
    (one,) = rejected
    assert one.raw == body
    return one.reason, one.field


def test_readings_become_columns_in_order() -> None:
    """Each knows its event and its place in the body."""
    batch = a_batch(reading(sensor_id="a"), b'[{"sensor_id":"b"},3,{"sensor_id":"c"}]', b"")
    readings, rejected = read_events(batch, KEYS)
    assert readings.sensor_ids == ["a", "b", "c"]
    assert readings.events.tolist() == [0, 1, 1]
    assert readings.indexes.tolist() == [0, 0, 2]
    error = ReadingRejectedError("missing_feature", "it has none")
    raws = [readings.reject(row, error).raw for row in range(3)]
    assert raws[1:] == [b'{"sensor_id":"b"}', b'{"sensor_id":"c"}']
    assert [(one.event, one.index, one.reason) for one in rejected] == [
        (1, 1, "not_an_object"),
        (2, 0, "empty_body"),
    ]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"sensor_id": "pump-01", "device_id": "gateway"}, "pump-01"),
        ({"device_id": "gateway"}, "gateway"),
        ({"sensor_id": 7}, "7"),
        ({"sensor_id": 0}, "0"),
        ({"sensor_id": -(10**20)}, "-100000000000000000000"),
        ({"sensor_id": "Pumpe ä/1"}, "Pumpe ä/1"),
        ({"sensor_id": "x" * 256}, "x" * 256),
    ],
)
def test_the_first_present_key_names_the_sensor(keys: dict[str, Any], expected: str) -> None:
    """As text of 1 to 256 characters, or an integer."""
    readings, _ = read_events(a_batch(reading(**keys)), KEYS)
    assert readings.sensor_ids == [expected]


@pytest.mark.parametrize(
    "value",
    [
        b'""',
        b"null",
        b"true",
        b"1.5",
        b"[]",
        b"{}",
        b'"a\\nb"',
        b'"a\\u0000"',
        b'"\\u007f"',
        b'"\\u0085"',
        b'"\\ud800"',
        b'"%s"' % (b"x" * 257),
        b"9" * 4000,
        b"9" * 5000,
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_sensor_id_that_no_store_could_keep_is_rejected(value: bytes) -> None:
    """A key that is present counts, even where another one would do."""
    body = b'{"sensor_id": %s, "device_id": "d"}' % value
    assert only_rejection(body) == ("bad_sensor_id", "sensor_id")


def test_without_a_key_the_event_names_the_sensor() -> None:
    """Partition key first, then IoT Hub's device id, then the partition."""
    batch = a_batch(b"{}", b"{}", b"{}")
    batch = replace(batch, partition_keys=["key", None, None], device_ids=["iot", "iot", None])
    assert read_events(batch, KEYS)[0].sensor_ids == ["key", "iot", "partition-3"]


@pytest.mark.parametrize("key", ["a\nb", "x" * 257])
def test_an_unfit_partition_key_is_no_sensor_id(key: str) -> None:
    """The rule for ids holds wherever they come from."""
    _, rejected = read_events(replace(a_batch(b"{}"), partition_keys=[key]), KEYS)
    assert [one.reason for one in rejected] == ["bad_sensor_id"]


@pytest.mark.parametrize("key", ["timestamp", "event_time", "time"])
def test_three_keys_may_hold_the_time(key: str) -> None:
    """Of several the first in this order counts."""
    readings, _ = read_events(a_batch(reading(**{"time": 5, key: 7})), KEYS)
    assert readings.event_time_ns.tolist() == [7 * 10**9]


def test_an_unreadable_time_is_rejected_though_another_is_there() -> None:
    """Present counts; the field is named."""
    assert only_rejection(reading(timestamp="soon", time=5)) == ("bad_event_time", "timestamp")
    assert only_rejection(reading(time=None)) == ("bad_event_time", "time")
    assert only_rejection(reading(event_time=True)) == ("bad_event_time", "event_time")


def test_readings_without_a_time_stay_apart() -> None:
    """Enqueued time + (sequence number mod 1,000) us + index in the body in ns."""
    batch = a_batch(b"[{},{},{}]", b"{}", sequence=1_999)
    readings, _ = read_events(batch, KEYS)
    assert (readings.event_time_ns - NOW).tolist() == [999_000, 999_001, 999_002, 0]


def test_a_tie_break_keeps_readings_of_one_instant_apart() -> None:
    """The same is added to a time that is there, where the setting asks for it."""
    batch = a_batch(b'[{"time":5},{"time":5}]', b'{"time":5}', sequence=2_001)
    plain, _ = read_events(batch, KEYS)
    assert plain.event_time_ns.tolist() == [5 * 10**9] * 3
    apart, _ = read_events(batch, replace(KEYS, time_tie_break="sequence"))
    assert (apart.event_time_ns - 5 * 10**9).tolist() == [1_000, 1_001, 2_000]


def test_an_empty_batch_is_no_reading() -> None:
    """Columns keep their types."""
    readings, rejected = read_events(a_batch(), KEYS)
    assert (len(readings), rejected) == (0, [])
    assert readings.event_time_ns.dtype == np.int64


bodies = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from([b"{}", b'{"sensor_id":1}', b'[{},3,{"time":"x"}]', b'{}\n{"time":1}\nx']),
    )
)


@given(bodies)
@settings(max_examples=200)
def test_every_body_is_accounted_for(some: list[bytes]) -> None:
    """Each event gives at least one reading or rejection, and no place is taken twice."""
    readings, rejected = read_events(a_batch(*some), KEYS)
    places = list(zip(readings.events.tolist(), readings.indexes.tolist(), strict=True))
    places += [(one.event, one.index) for one in rejected]
    assert len(places) == len(set(places))
    assert {event for event, _ in places} == set(range(len(some)))


@given(bodies, st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_the_order_of_events_changes_no_reading(some: list[bytes], random: Any) -> None:
    """What an event gives depends on that event alone."""
    batch = replace(a_batch(*some), sequence_numbers=[7] * len(some))
    order = list(range(len(some)))
    random.shuffle(order)
    shuffled = replace(batch, bodies=[some[place] for place in order])
    assert _rows(batch, list(range(len(some)))) == _rows(shuffled, order)


def _rows(batch: EventBatch, names: list[int]) -> list[tuple[Any, ...]]:
    readings, rejected = read_events(batch, KEYS)
    rows: list[tuple[Any, ...]] = [
        (names[event], index, sensor, time_ns, repr(payload))
        for event, index, sensor, time_ns, payload in zip(
            readings.events.tolist(),
            readings.indexes.tolist(),
            readings.sensor_ids,
            readings.event_time_ns.tolist(),
            readings.payloads,
            strict=True,
        )
    ]
    rows += [(names[one.event], one.index, one.reason, 0, one.message) for one in rejected]
    return sorted(rows)
