"""Tests of scoring.sinks.cosmos_documents: what a document holds, and what a request takes."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.sinks.cosmos_documents import MAX_BATCH_BYTES, MAX_OPERATIONS, extra, groups
from tests.documents import names, section, table
from tests.scored_batches import scored_batch

IDS = ("sensor_id", "device_id")
FEATURES = frozenset({"temperature", "vibration"})


@pytest.mark.parametrize(
    ("payload", "left"),
    [
        ({"sensor_id": "a", "timestamp": 1, "temperature": 2.0, "vibration": 1.0}, {}),
        ({"sensor_id": "a", "device_id": "b"}, {"device_id": "b"}),
        ({"timestamp": 1, "time": 2}, {"time": 2}),
        ({"temperature": 2.0, "humidity": 40, "tags": ["x"]}, {"humidity": 40, "tags": ["x"]}),
        ({"features": {"temperature": 2.0, "vibration": 1.0}, "site": "s"}, {"site": "s"}),
        ({"features": {"temperature": 2.0, "speed": 3}}, {"features": {"speed": 3}}),
        ({"features": {"temperature": 2.0}, "temperature": "warm"}, {"temperature": "warm"}),
        ({"features": ["no object"], "temperature": 2.0}, {"features": ["no object"]}),
    ],
    ids=["nothing", "second id", "second time", "top level", "object", "inner", "both", "list"],
)
def test_extra_is_what_scoring_did_not_use(payload: dict[str, Any], left: dict[str, Any]) -> None:
    """Neither the id, nor the time, nor a feature of the model; everything else."""
    assert extra(payload, IDS, FEATURES) == left


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
        (2**53, 2**53),
        (2**53 + 1, "9007199254740993"),
        (-(10**400), "-1" + "0" * 400),
        ("\ud800", "\\ud800"),
        ({"\udfff": [float("nan")]}, {"\\udfff": ["NaN"]}),
        (True, True),
        (None, None),
        (0.1, 0.1),
    ],
    ids=str,
)
def test_what_the_store_cannot_hold_becomes_text(value: object, stored: object) -> None:
    """JSON has no form for it, or Cosmos DB would change its digits."""
    assert extra({"x": value}, IDS, FEATURES) == {"x": stored}


def test_what_nests_too_deeply_becomes_null() -> None:
    """Cosmos DB refuses 128 levels, and Python's encoder ends at a thousand."""
    deep: Any = 1
    for _ in range(900):
        deep = [deep]
    text = json.dumps(extra({"x": deep}, IDS, FEATURES))
    assert text == '{"x": ' + "[" * 31 + "null" + "]" * 31 + "}"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(st.characters()) | st.sampled_from(["features", *IDS]), anything))
def test_any_payload_can_be_stored(payload: dict[str, Any]) -> None:
    """It is strict JSON in UTF-8, with numbers that keep their digits."""
    found = extra(payload, IDS, FEATURES)
    text = json.dumps(found, allow_nan=False, ensure_ascii=False).encode().decode()
    assert json.loads(text) == found


def test_every_value_of_a_document_is_plain() -> None:
    """The client's encoder takes no NumPy numbers."""
    batch = scored_batch(3, filled=np.array([0, 1, 2]))
    (group,) = groups([batch], IDS, only_anomalies=False)
    documents = [item.document for item in group.items]
    assert json.loads(json.dumps(documents, allow_nan=False)) == documents
    assert [one["filled"] for one in documents] == [0, 1, 2]


def test_times_order_as_text() -> None:
    """Before 1970 too, and down to the nanosecond."""
    times = [-9_000_000_000_000_000_000, -1, 0, 1, 10, 1_777_636_800_123_000_000]
    batch = scored_batch(len(times), event_time_ns=np.array(times, np.int64))
    (group,) = groups([batch], IDS, only_anomalies=False)
    written = [item.document["event_time"] for item in group.items]
    assert written == sorted(written)
    assert written[1:4] == [
        "1969-12-31T23:59:59.999999999Z",
        "1970-01-01T00:00:00.000000000Z",
        "1970-01-01T00:00:00.000000001Z",
    ]


def test_a_value_that_is_not_finite_is_null() -> None:
    """Scores and features are finite; should one not be, its neighbours are still stored."""
    batch = scored_batch(2, X=np.array([[np.nan, 1.0], [2.0, np.inf]]))
    (group,) = groups([batch], IDS, only_anomalies=False)
    assert [item.document["features"] for item in group.items] == [
        {"temperature": None, "vibration": 1.0},
        {"temperature": 2.0, "vibration": None},
    ]


@given(st.lists(st.integers(0, 400_000), max_size=250))
def test_groups_keep_to_the_limits(sizes: list[int]) -> None:
    """By operations and by bytes; all documents are there, in order."""
    payloads = [{"trace": "x" * size} for size in sizes]
    found = groups([scored_batch(len(sizes), payloads=payloads)], IDS, only_anomalies=False)
    assert [item.row for group in found for item in group.items] == list(range(len(sizes)))
    for group in found:
        assert 0 < len(group.items) <= MAX_OPERATIONS
        request = json.dumps([item.document for item in group.items])
        assert len(request) < MAX_BATCH_BYTES + 200_000


def test_a_group_is_of_one_sensor() -> None:
    """A transactional batch has one partition key."""
    batch = scored_batch(4, sensor_ids=["a", "b", "a", "b"])
    found = groups([batch], IDS, only_anomalies=False)
    assert [(group.sensor_id, [item.row for item in group.items]) for group in found] == [
        ("a", [0, 2]),
        ("b", [1, 3]),
    ]


def test_the_properties_of_a_document_stand_in_the_contract() -> None:
    """A query written after the page works."""
    (group,) = groups([scored_batch(1)], IDS, only_anomalies=False)
    written = names(table(section("Cosmos DB"), "Property"))
    assert set(written) == set(group.items[0].document)
    assert len(group.items[0].document["event_time"]) == 30
