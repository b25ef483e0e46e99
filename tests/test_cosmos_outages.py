"""Tests of scoring.sinks.cosmos: a service that is down or busy, by faults in front of a server."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from azure.cosmos import ContainerProxy

from scoring.errors import SinkThrottledError, SinkUnavailableError
from scoring.sinks import cosmos_account
from tests.cosmos_server import CosmosServer, documents, is_batch, running_cosmos
from tests.cosmos_sinks import THROTTLED, faulty, first_batches, sink_at
from tests.http_double import Answer, Request
from tests.scored_batches import scored_batch

ROOT = Path(__file__).parent.parent
pytest_plugins = ["tests.cosmos_fixtures"]


def test_a_server_that_is_killed_is_an_outage_that_ends(container_name: str) -> None:
    """In bounded time; a server that came back empty gets its container again."""
    with running_cosmos() as cosmos, sink_at(cosmos.url, container_name) as (sink, waits):
        sink.write([scored_batch(1)])
        cosmos.kill()
        started = time.monotonic()
        with pytest.raises(SinkUnavailableError, match=r"did not answer .*CONNECTION_STRING is re"):
            sink.write([scored_batch(1)])
        assert time.monotonic() - started < 10
        assert len(waits.seconds) == 2
        with running_cosmos(port=cosmos.port) as again, again.client() as client:
            with pytest.raises(SinkUnavailableError, match="404"):
                sink.write([scored_batch(2)])
            sink.write([scored_batch(2)])
            container = client.get_database_client("plant").get_container_client(container_name)
            assert len(documents(container)) == 2


def test_a_server_that_was_never_there_is_an_outage_too(container_name: str) -> None:
    """Nothing has been opened yet."""
    with running_cosmos() as cosmos:
        cosmos.kill()
        with (
            sink_at(cosmos.url, container_name) as (sink, waits),
            pytest.raises(SinkUnavailableError, match="did not answer"),
        ):
            sink.write([scored_batch(1)])
    assert len(waits.seconds) == 2


def test_a_server_that_says_nothing_is_given_up(
    cosmos: CosmosServer, container_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred sensors wait no longer than one: after the first silence the rest is left."""
    monkeypatch.setattr(cosmos_account, "_TIMEOUT_S", 0.5)
    ended = threading.Event()

    def silent(request: Request) -> Answer | None:
        if is_batch(request):
            ended.wait(30)
        return None

    batch = scored_batch(100, sensor_ids=[f"pump-{i}" for i in range(100)])
    started = time.monotonic()
    with faulty(cosmos, container_name, silent) as (sink, proxy, waits):
        try:
            with pytest.raises(SinkUnavailableError, match="did not answer"):
                sink.write([batch])
        finally:
            ended.set()
    assert time.monotonic() - started < 10
    assert len(proxy.batches) <= 10  # ten at once, once
    assert waits.seconds == []


@pytest.mark.parametrize("status", [408, 429, 449, 500, 503])
def test_a_fault_that_passes_is_tried_again(
    cosmos: CosmosServer, container_name: str, container: ContainerProxy, status: int
) -> None:
    """Twice at most, with growing waits."""
    with faulty(cosmos, container_name, first_batches(2, Answer(status))) as (sink, proxy, waits):
        sink.write([scored_batch(2)])
    assert len(proxy.batches) == 3
    first, second = waits.seconds
    assert 0.5 <= first <= 0.75
    assert 1.0 <= second <= 1.5
    assert len(documents(container)) == 2


def test_a_throttled_service_is_asked_again_as_late_as_it_says(
    cosmos: CosmosServer, container_name: str
) -> None:
    """The client's own nine retries are off: there is one layer of them."""
    with faulty(cosmos, container_name, first_batches(1, THROTTLED)) as (sink, proxy, waits):
        sink.write([scored_batch(2)])
    assert len(proxy.batches) == 2
    assert 0.7 <= waits.seconds[0] <= 1.05


def test_a_service_that_stays_throttled_makes_the_batch_wait(
    cosmos: CosmosServer, container_name: str
) -> None:
    """It is there: the caller keeps the batch, and spills nothing."""
    with (
        faulty(cosmos, container_name, first_batches(99, THROTTLED)) as (sink, proxy, _),
        pytest.raises(SinkThrottledError, match="more throughput"),
    ):
        sink.write([scored_batch(2)])
    assert len(proxy.batches) == 3


def test_a_service_that_throttles_some_requests_is_there_whatever_the_others_meet(
    cosmos: CosmosServer, container_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request without an answer among throttled ones is no outage: the batch is kept."""
    monkeypatch.setattr(cosmos_account, "_TIMEOUT_S", 0.5)
    ended = threading.Event()

    def respond(request: Request) -> Answer | None:
        if not is_batch(request):
            return None
        if b"pump-0" in request.body:
            ended.wait(30)
        return THROTTLED

    with faulty(cosmos, container_name, respond) as (sink, _, waits):
        try:
            with pytest.raises(SinkThrottledError, match="more throughput"):
                sink.write([scored_batch(3, sensor_ids=["pump-0", "pump-1", "pump-2"])])
        finally:
            ended.set()
    assert len(waits.seconds) == 2


def test_a_throttled_service_that_takes_some_is_given_the_rest(
    cosmos: CosmosServer, container_name: str, container: ContainerProxy
) -> None:
    """However often it throttles: a batch that never ends would begin again from its start."""
    turns = iter(range(10_000))

    def every_second(request: Request) -> Answer | None:
        return THROTTLED if is_batch(request) and next(turns) % 2 else None

    batch = scored_batch(60, sensor_ids=[f"pump-{i:02d}" for i in range(60)])
    with faulty(cosmos, container_name, every_second) as (sink, _, waits):
        assert sink.write([batch]) == []
    assert len(waits.seconds) > 3
    assert len(documents(container)) == 60


@pytest.mark.parametrize("asked", ["3600000", "soon", "-5"])
def test_a_batch_has_bounded_patience(
    cosmos: CosmosServer, container_name: str, asked: str
) -> None:
    """An hour is not waited for, and nonsense is no wish."""
    answer = Answer(429, {"x-ms-retry-after-ms": asked})
    with (
        faulty(cosmos, container_name, first_batches(99, answer)) as (sink, _, waits),
        pytest.raises(SinkThrottledError),
    ):
        sink.write([scored_batch(1)])
    assert all(0.5 <= seconds <= 1.5 for seconds in waits.seconds)


def test_a_bug_is_not_taken_for_a_store_that_is_down(
    cosmos: CosmosServer, container_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on to the batch boundary, and is never tried again."""

    def broken(*_: object, **__: object) -> None:
        raise TypeError("a bug")

    monkeypatch.setattr(ContainerProxy, "execute_item_batch", broken)
    batch = scored_batch(50, sensor_ids=[f"pump-{i}" for i in range(50)])
    with (
        sink_at(cosmos.url, container_name) as (sink, waits),
        pytest.raises(TypeError, match="a bug"),
    ):
        sink.write([batch])
    assert waits.seconds == []


def test_a_write_while_the_process_ends_is_no_fault_of_its_readings(
    cosmos: CosmosServer, container_name: str
) -> None:
    """No thread may begin then; the batch is spilled or held, and comes again."""
    command = [sys.executable, "-m", "tests.writing_at_exit", cosmos.url, container_name]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.startswith("SinkUnavailableError: sink cosmos: takes no batch while")
