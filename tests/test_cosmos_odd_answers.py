"""Tests of scoring.sinks.cosmos: what answers is no Cosmos DB account."""

from collections.abc import Callable

import pytest
from azure.cosmos import ContainerProxy

from scoring.errors import SinkThrottledError, SinkUnavailableError
from tests.cosmos_server import CosmosServer, documents, is_batch
from tests.cosmos_sinks import faulty, many_sensors, sink_at
from tests.http_double import Answer, Request, answering
from tests.scored_batches import scored_batch

pytest_plugins = ["tests.cosmos_fixtures"]
JSON = {"Content-Type": "application/json"}
ODD = r"does not answer as a Cosmos DB account does; check that COSMOS_CONNECTION_STRING names"
ANSWERS = {
    "elsewhere": Answer(302, {"Location": "/login"}),
    "elsewhere with a page": Answer(302, {"Location": "/login"}, b"<html></html>"),
    "nothing": Answer(200),
    "no content": Answer(204),
    "a page": Answer(200, {"Content-Type": "text/html"}, b"<html></html>"),
    "a page that calls itself JSON": Answer(200, JSON, b"<html></html>"),
    "no UTF-8": Answer(200, JSON, b"\xff\xfe\x80"),
    "an unknown charset": Answer(200, {"Content-Type": "application/json; charset=no"}, b"{}"),
    "an object": Answer(200, JSON, b"{}"),
    "another object": Answer(200, JSON, b'{"status": "ok"}'),
    "a list": Answer(200, JSON, b"[]"),
    "a list of numbers": Answer(200, JSON, b"[1]"),
    "a list of objects": Answer(200, JSON, b"[{}]"),
    "a number": Answer(200, JSON, b"1"),
    "a text": Answer(200, JSON, b'"ok"'),
    "null": Answer(200, JSON, b"null"),
    "too deep": Answer(200, JSON, b"[" * 100_000),
    "a sub-status that is none": Answer(500, {"x-ms-substatus": "soon"}),
}
each_answer = pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())


@each_answer
def test_what_is_no_account_is_an_outage_when_it_is_opened(answer: Answer) -> None:
    """No fault of the readings, nor a bug: one try, and the setting is named."""
    with (
        answering(answer).running() as server,
        sink_at(server.url, "scores") as (sink, waits),
        pytest.raises(SinkUnavailableError, match=ODD) as caught,
    ):
        sink.write([scored_batch(1)])
    assert not isinstance(caught.value, SinkThrottledError)
    assert waits.seconds == []


def is_account(request: Request) -> bool:
    """Tell whether a request asks for the account itself."""
    return request.path == "/"


def is_container(request: Request) -> bool:
    """Tell whether a request asks for a container."""
    return "/colls/" in request.path and not is_batch(request)


@pytest.mark.parametrize(
    ("is_meant", "body"),
    [(is_account, b"[1]"), (is_container, b"{}"), (is_container, b'{"partitionKey": 1}')],
    ids=["account", "container", "partition key"],
)
def test_an_account_that_is_there_after_all_is_written_to(
    cosmos: CosmosServer,
    container_name: str,
    container: ContainerProxy,
    is_meant: Callable[[Request], bool],
    body: bytes,
) -> None:
    """What was odd is not kept, nor what else came with it: the account is asked anew."""
    is_over: list[bool] = []

    def respond(request: Request) -> Answer | None:
        return Answer(200, JSON, body) if is_meant(request) and not is_over else None

    with faulty(cosmos, container_name, respond) as (sink, proxy, _):
        with pytest.raises(SinkUnavailableError, match=ODD):
            sink.write([scored_batch(1)])
        is_over.append(True)
        n_before = len(proxy.requests)
        sink.write([scored_batch(1)])
        assert is_account(proxy.requests[n_before])
    assert len(documents(container)) == 1


@each_answer
def test_an_odd_answer_to_a_write_stores_nothing(
    cosmos: CosmosServer, container_name: str, container: ContainerProxy, answer: Answer
) -> None:
    """The client takes some of them for a success; the same sink writes once it is over."""
    is_over: list[bool] = []

    def respond(request: Request) -> Answer | None:
        return answer if is_batch(request) and not is_over else None

    with faulty(cosmos, container_name, respond) as (sink, _, waits):
        for batch in (scored_batch(2), many_sensors(20)):
            with pytest.raises(SinkUnavailableError, match=ODD):
                sink.write([batch])
        assert documents(container) == []
        is_over.append(True)
        assert sink.write([scored_batch(2)]) == []
    assert len(documents(container)) == 2
    assert waits.seconds == []


@pytest.mark.parametrize(
    "body",
    [
        b'[{"statusCode": 200}]',
        b'[{"statusCode": 200}, {"statusCode": 200}, {"statusCode": 200}]',
        b'[{"statusCode": 200}, {"statusCode": 302}]',
        b'[{"statusCode": 200}, {"statusCode": 1e400}]',
    ],
    ids=["too few", "too many", "elsewhere", "infinite"],
)
def test_a_batch_is_stored_where_each_of_its_operations_is_said_to_be(
    cosmos: CosmosServer, container_name: str, body: bytes
) -> None:
    """And not where an answer as a whole looks like a success."""
    answer = Answer(200, JSON, body)
    with (
        faulty(cosmos, container_name, lambda one: answer if is_batch(one) else None) as found,
        pytest.raises(SinkUnavailableError, match=ODD),
    ):
        found[0].write([scored_batch(2)])
