"""Tests of scoring.sinks.cosmos: documents that the service never takes."""

import json

import pytest
from azure.cosmos import ContainerProxy

from scoring.errors import SinkUnavailableError
from scoring.sinks.cosmos import CosmosSink
from tests.cosmos_server import CosmosServer, documents, is_batch
from tests.cosmos_sinks import (
    Respond,
    faulty,
    first_batches,
)
from tests.event_batches import ENQUEUED_NS
from tests.http_double import Answer, Request
from tests.scored_batches import scored_batch

pytest_plugins = ["tests.cosmos_fixtures"]


def test_a_document_that_is_too_large_costs_none_of_its_neighbours(
    cosmos_sink: CosmosSink, container: ContainerProxy
) -> None:
    """The server refuses it alone; those before and after it are stored."""
    payloads = [{}, {}, {"trace": "x" * 2_200_000}, {}]
    batch = scored_batch(4, payloads=payloads)
    (refused,) = cosmos_sink.write([batch])
    assert (refused.batch, refused.row, refused.message) == (batch, 2, "cosmos answered 413")
    assert len(documents(container)) == 3


def test_refusals_of_many_sensors_cost_none_of_the_others(
    cosmos_sink: CosmosSink, container: ContainerProxy
) -> None:
    """Each batch stands alone, at the same time as the others."""
    payloads = [{"trace": "x" * 2_200_000} if i % 10 == 0 else {} for i in range(60)]
    batch = scored_batch(60, payloads=payloads, sensor_ids=[f"pump-{i % 20}" for i in range(60)])
    assert sorted(one.row for one in cosmos_sink.write([batch])) == list(range(0, 60, 10))
    assert len(documents(container)) == 54


def failing_items(statuses: dict[int, int], times: int = 99) -> Respond:
    """Fail batches in which documents of these seconds stand, as the service does."""
    left = [times]
    ids = {f"default|{ENQUEUED_NS + second * 10**9}": code for second, code in statuses.items()}

    def respond(request: Request) -> Answer | None:
        if not is_batch(request) or not left[0]:
            return None
        found = [ids.get(one["resourceBody"]["id"]) for one in json.loads(request.body)]
        if not any(found):
            return None
        left[0] -= 1
        body = [{"statusCode": code or 424, "retryAfterMilliseconds": 900} for code in found]
        return Answer(207, {}, json.dumps(body).encode())

    return respond


@pytest.mark.parametrize("status", [400, 409, 413])
def test_a_refused_operation_is_taken_out_of_its_batch(
    cosmos: CosmosServer, container_name: str, container: ContainerProxy, status: int
) -> None:
    """The others failed with it, and are sent again at once."""
    batch = scored_batch(10)
    with faulty(cosmos, container_name, failing_items({3: status, 7: status})) as (sink, _, waits):
        refused = sink.write([batch])
    assert [one.row for one in refused] == [3, 7]
    assert refused[0].message == f"cosmos answered {status}"
    assert waits.seconds == []
    assert len(documents(container)) == 8


@pytest.mark.parametrize("status", [408, 429, 449, 503])
def test_an_operation_that_may_work_later_is_tried_again(
    cosmos: CosmosServer, container_name: str, container: ContainerProxy, status: int
) -> None:
    """Its status counts, and not that of the whole answer; nothing is refused for it."""
    with faulty(cosmos, container_name, failing_items({3: status}, times=1)) as (sink, _, waits):
        assert sink.write([scored_batch(10)]) == []
    assert 0.9 <= waits.seconds[0] <= 1.35
    assert len(documents(container)) == 10


def test_an_operation_that_is_forbidden_is_a_matter_of_roles(
    cosmos: CosmosServer, container_name: str
) -> None:
    """No reading is at fault."""
    with (
        faulty(cosmos, container_name, failing_items({3: 403})) as (sink, _, _),
        pytest.raises(SinkUnavailableError, match="answered 403"),
    ):
        sink.write([scored_batch(10)])


def full_partition(sensor: str, form: str) -> Respond:
    """Refuse a sensor as a logical partition of 20 GB does."""
    sub = {"x-ms-substatus": "1014"}

    def respond(request: Request) -> Answer | None:
        if not is_batch(request) or sensor not in request.headers["x-ms-documentdb-partitionkey"]:
            return None
        if form == "request":
            return Answer(403, sub, b'{"message": "Partition key reached maximum size of 20 GB"}')
        first = {"statusCode": 403, **({"subStatusCode": 1014} if form == "operation" else {})}
        others = [{"statusCode": 424}] * (len(json.loads(request.body)) - 1)
        headers = sub if form == "operation-and-header" else {}
        return Answer(207, headers, json.dumps([*others, first]).encode())

    return respond


@pytest.mark.parametrize("form", ["request", "operation", "operation-and-header"])
def test_a_sensor_whose_partition_is_full_costs_no_other_sensor(
    cosmos: CosmosServer, container_name: str, container: ContainerProxy, form: str
) -> None:
    """The account is not denied: its readings are refused, a request a group, with a remedy."""
    batch = scored_batch(300, sensor_ids=["full", "pump-1"] * 150)
    with faulty(cosmos, container_name, full_partition("full", form)) as (sink, proxy, waits):
        refused = sink.write([batch])
    assert sorted(one.row for one in refused) == list(range(0, 300, 2))
    assert "is full (20 GB); shorten the container's time to live" in refused[0].message
    assert "then replay" in refused[0].message
    assert (len(proxy.batches), waits.seconds) == (4, [])
    assert {one["sensor_id"] for one in documents(container)} == {"pump-1"}
    assert len(documents(container)) == 150


def test_another_sub_status_of_403_is_a_matter_of_roles(
    cosmos: CosmosServer, container_name: str
) -> None:
    """Such as 5300: this identity may not write."""
    answer = Answer(403, {"x-ms-substatus": "5300"})
    with (
        faulty(cosmos, container_name, first_batches(9, answer)) as (sink, _, _),
        pytest.raises(SinkUnavailableError, match="answered 403"),
    ):
        sink.write([scored_batch(10)])


def test_a_batch_that_fails_and_blames_none_does_not_come_for_ever(
    cosmos: CosmosServer, container_name: str
) -> None:
    """A server that answers nonsense is an outage."""
    with (
        faulty(cosmos, container_name, failing_items({3: 424})) as (sink, _, waits),
        pytest.raises(SinkUnavailableError, match="named no operation"),
    ):
        sink.write([scored_batch(10)])
    assert len(waits.seconds) == 2


@pytest.mark.parametrize("status", [400, 413])
def test_a_request_that_is_refused_whole_is_told_apart_by_halves(
    cosmos: CosmosServer, container_name: str, container: ContainerProxy, status: int
) -> None:
    """Until what is at fault stands alone."""
    bad = f"default|{ENQUEUED_NS + 5 * 10**9}"

    def refuse(request: Request) -> Answer | None:
        is_bad = is_batch(request) and bad.encode() in request.body
        return Answer(status, {}, b'{"message": "not this one"}') if is_bad else None

    with faulty(cosmos, container_name, refuse) as (sink, _, _):
        (refused,) = sink.write([scored_batch(10)])
    assert refused.row == 5
    assert f"cosmos answered {status}" in refused.message
    assert "not this one" in refused.message
    assert len(documents(container)) == 9
