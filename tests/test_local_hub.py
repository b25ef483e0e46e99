"""Tests of replay.local_hub: a batch is posted until the local app has it."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest

from replay.local_hub import BATCH_TYPE, WAITS_S, LocalSender
from replay.sending import Message, SendError
from tests.http_double import Answer, HttpDouble, Request

HUB = "plant"


@contextmanager
def scripted_hub(*answers: int | None) -> Iterator[tuple[HttpDouble, LocalSender, list[float]]]:
    """Serve these answers, None ends the connection, then 201; tell what the sender waited."""
    left, waited = list(answers), list[float]()

    def respond(_: Request) -> Answer:
        status = left.pop(0) if left else 201
        if status is None:
            raise ConnectionAbortedError
        return Answer(status, body=b"why")

    with HttpDouble(respond).running() as server:
        sender = LocalSender(server.url, HUB, sleep=waited.append)
        try:
            yield server, sender, waited
        finally:
            sender.close()


def test_a_batch_is_posted_in_the_services_own_form() -> None:
    """Each event with its body as text and its partition key; one connection for all."""
    with scripted_hub() as (server, sender, _waited):
        sender.send([Message("pump 1", '{"°C":1}'.encode(), 0), Message("q", b"{}", 0)])
        sender.send([Message("q", b"{}", 0)])
    first = server.requests[0]
    assert (first.path, first.headers["Content-Type"]) == ("/plant/messages", BATCH_TYPE)
    assert msgspec.json.decode(first.body) == [
        {"Body": '{"°C":1}', "BrokerProperties": {"PartitionKey": "pump 1"}},
        {"Body": "{}", "BrokerProperties": {"PartitionKey": "q"}},
    ]
    assert len(server.requests) == 2
    assert len({request.client_port for request in server.requests}) == 1


@pytest.mark.parametrize(
    "fault", [pytest.param(503, id="unavailable"), pytest.param(None, id="no answer")]
)
def test_a_batch_without_a_201_is_sent_again(fault: int | None) -> None:
    """After 5xx and after an answer that did not arrive; the same bytes, after longer waits."""
    with scripted_hub(fault, fault) as (server, sender, waited):
        sender.send([Message("p", b"{}", 0)])
    assert len({request.body for request in server.requests}) == 1
    assert len(server.requests) == 3
    assert waited == list(WAITS_S[:2])


def test_an_answer_that_means_no_is_not_tried_again() -> None:
    """A 4xx says what to correct."""
    message = r"plant: answered 404: why; check the address"
    with scripted_hub(404) as (server, sender, waited), pytest.raises(SendError, match=message):
        sender.send([Message("p", b"{}", 0)])
    assert (len(server.requests), waited) == (1, [])


def test_any_other_success_is_no_commit() -> None:
    """Only 201 says that the batch is in the log."""
    with scripted_hub(200) as (_server, sender, _waited), pytest.raises(SendError, match="200"):
        sender.send([Message("p", b"{}", 0)])


def test_nobody_listening_ends_after_bounded_attempts() -> None:
    """The error says how to start the app."""
    waited: list[float] = []
    told: list[str] = []
    with scripted_hub() as (server, _sender, _waited):
        url = server.url
    sender = LocalSender(url, HUB, sleep=waited.append, on_retry=told.append)
    with pytest.raises(SendError, match=r"no answer .*python -m local"):
        sender.send([Message("p", b"{}", 0)])
    assert waited == list(WAITS_S)
    assert len(told) == len(WAITS_S)


def test_stopping_ends_the_attempts() -> None:
    """Ctrl-C does not wait for half a minute."""
    with scripted_hub(503, 503, 503) as (server, _sender, _waited):
        sender = LocalSender(server.url, HUB, should_stop=lambda: True)
        with pytest.raises(SendError, match="503"):
            sender.send([Message("p", b"{}", 0)])
        sender.close()
        assert len(server.requests) == 1


@pytest.mark.parametrize("url", ["https://127.0.0.1", "127.0.0.1:7071", "http://"])
def test_an_address_that_is_no_http_address_is_refused(url: str) -> None:
    """At once, with an example."""
    with pytest.raises(SendError, match=r"http://127\.0\.0\.1:7071"):
        LocalSender(url, HUB)
