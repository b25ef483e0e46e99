"""Tests of scoring.sinks.cosmos: what is stored, on a real server from npm."""

import json

import numpy as np
import pytest
from azure.cosmos import ContainerProxy

from scoring.sinks.cosmos import CosmosSink
from tests.cosmos_server import CosmosServer, documents
from tests.cosmos_sinks import (
    faulty,
    sink_at,
)
from tests.event_batches import ENQUEUED_NS
from tests.scored_batches import scored_batch

pytest_plugins = ["tests.cosmos_fixtures"]


def test_a_reading_is_one_document(cosmos_sink: CosmosSink, container: ContainerProxy) -> None:
    """Names, types and forms are those of the contract; times order as text."""
    payload = {"sensor_id": "pump-1", "time": 1, "temperature": 0.5, "firmware": "4.2"}
    assert cosmos_sink.write([scored_batch(2, payloads=[payload, {}])]) == []
    first, second = documents(container)
    assert first == {
        "id": f"default|{ENQUEUED_NS}",
        "sensor_id": "pump-1",
        "event_time": "2026-05-01T12:00:00.123000000Z",
        "event_time_ns": str(ENQUEUED_NS),
        "model": "default",
        "model_version": "v1",
        "score": 0.1 - 0.5,
        "anomaly_score": 0.5,
        "is_anomaly": True,
        "cause": [
            {"feature": "vibration", "share": 0.75},
            {"feature": "temperature", "share": 0.25},
        ],
        "features": {"temperature": 0.5, "vibration": 0.25},
        "filled": 0,
        "extra": {"firmware": "4.2"},
    }
    assert (second["is_anomaly"], second["cause"], second["extra"]) == (False, None, {})


def test_what_is_unknown_is_null(cosmos_sink: CosmosSink, container: ContainerProxy) -> None:
    """A bare artifact has no calibration, and perhaps no threshold."""
    cosmos_sink.write([scored_batch(1, anomaly_score=None, is_anomaly=None, causes={})])
    (found,) = documents(container)
    assert (found["anomaly_score"], found["is_anomaly"]) == (None, None)


def test_writing_again_replaces(cosmos_sink: CosmosSink, container: ContainerProxy) -> None:
    """One document an identity; the version that scored last is the one stored."""
    for version in ("v1", "v1", "v2"):
        cosmos_sink.write([scored_batch(3, model_version=version)])
    assert [one["model_version"] for one in documents(container)] == ["v2"] * 3


def test_two_models_of_one_sensor_are_kept_apart(
    cosmos_sink: CosmosSink, container: ContainerProxy
) -> None:
    """The model is part of the identity."""
    cosmos_sink.write([scored_batch(2), scored_batch(2, model="other")])
    assert [one["model"] for one in documents(container)] == ["default", "other"] * 2


def test_readings_that_share_an_identity_are_one_document(
    cosmos_sink: CosmosSink, container: ContainerProxy
) -> None:
    """That of the last, as in every store."""
    times = np.full(150, ENQUEUED_NS)
    cosmos_sink.write([scored_batch(150, event_time_ns=times)])
    (found,) = documents(container)
    assert found["features"]["temperature"] == 149.5


@pytest.mark.parametrize(
    "sensor",
    ["a/b", "a\\b", "#?x", 'say "hi"', "läuft 🔧", " a ", "x" * 256, "[1]", "null"],
)
def test_any_sensor_id_is_a_partition_key(
    cosmos_sink: CosmosSink, container: ContainerProxy, sensor: str
) -> None:
    """It stands in a header as JSON; ids of documents hold none of it."""
    cosmos_sink.write([scored_batch(2, sensor_ids=[sensor] * 2)])
    found = container.read_item(f"default|{ENQUEUED_NS}", partition_key=sensor)
    assert found["sensor_id"] == sensor
    assert len(documents(container)) == 2


def test_many_readings_of_a_sensor_take_few_requests(
    cosmos: CosmosServer, container_name: str
) -> None:
    """A transactional batch takes 100 operations."""
    with faulty(cosmos, container_name, lambda _: None) as (sink, proxy, _):
        sink.write([scored_batch(250)])
    sizes = sorted(len(json.loads(request.body)) for request in proxy.batches)
    assert sizes == [50, 100, 100]


def test_large_readings_are_cut_by_their_bytes(
    cosmos: CosmosServer, container_name: str, container: ContainerProxy
) -> None:
    """A transactional batch takes 2 MB; the server refuses more."""
    payloads = [{"trace": "ö" * 100_000}] * 30
    with faulty(cosmos, container_name, lambda _: None) as (sink, proxy, _):
        assert sink.write([scored_batch(30, payloads=payloads)]) == []
    assert [len(request.body) < 2_000_000 for request in proxy.batches] == [True] * 4
    assert len(documents(container)) == 30


def test_many_sensors_are_written(cosmos_sink: CosmosSink, container: ContainerProxy) -> None:
    """One batch each, several at once."""
    cosmos_sink.write([scored_batch(300, sensor_ids=[f"pump-{i:03d}" for i in range(300)])])
    assert len(documents(container)) == 300


def test_nothing_is_asked_where_nothing_is_to_write(
    cosmos: CosmosServer, container_name: str
) -> None:
    """Not even a connection."""
    with faulty(cosmos, container_name, lambda _: None) as (sink, proxy, _):
        sink.write([])
    assert proxy.requests == []


def test_only_anomalies_are_written_where_that_is_asked_for(
    cosmos: CosmosServer, container_name: str, container: ContainerProxy
) -> None:
    """What nothing decided about is none."""
    undecided = scored_batch(3, model="undecided", is_anomaly=None)
    with sink_at(cosmos.url, container_name, write="anomalies") as (sink, _):
        sink.write([scored_batch(3), undecided])
        assert [len(sink.wanted(one)) for one in (scored_batch(3), undecided)] == [1, 0]
    assert [(one["model"], one["is_anomaly"]) for one in documents(container)] == [
        ("default", True)
    ]
