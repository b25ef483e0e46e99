"""Tests of scoring.sinks.cosmos: a service that takes a part of a batch at a time."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import pytest
from azure.cosmos import ContainerProxy

from scoring.errors import SinkThrottledError, SinkUnavailableError
from scoring.sinks.cosmos import CosmosSink
from tests.cosmos_server import CosmosServer, FaultyProxy, documents, is_batch
from tests.cosmos_sinks import many_sensors, settings
from tests.http_double import Answer, Request
from tests.moved_time import Clock

pytest_plugins = ["tests.cosmos_fixtures"]


@contextmanager
def slow_sink(
    cosmos: CosmosServer, container_name: str, wait_ms: int = 4_000
) -> Iterator[tuple[CosmosSink, list[Request], Clock]]:
    """Make a sink whose service takes every second group; gives those that it took."""
    clock, turns = Clock(0.0), iter(range(10_000))
    throttled = Answer(429, {"x-ms-retry-after-ms": str(wait_ms)})
    passed: list[Request] = []

    def respond(request: Request) -> Answer | None:
        if not is_batch(request):
            return None
        if next(turns) % 2:
            return throttled
        passed.append(request)
        return None

    with FaultyProxy(cosmos, respond).running() as proxy:
        found = settings(proxy.url, container_name)
        with closing(CosmosSink(found, ("sensor_id",), clock.sleep, clock)) as sink:
            yield sink, passed, clock


def test_a_write_ends_before_the_host_ends_its_process(
    cosmos: CosmosServer, container_name: str
) -> None:
    """After four minutes, however much was taken; the batch is spilled, and not held."""
    with slow_sink(cosmos, container_name) as (sink, _, clock):
        with pytest.raises(
            SinkUnavailableError, match="COSMOS_CONTAINER more throughput"
        ) as caught:
            sink.write([many_sensors(900)])
        assert 240 <= clock() <= 246
    assert not isinstance(caught.value, SinkThrottledError)


def test_a_write_that_ran_out_of_time_goes_on_where_it_ended(
    cosmos: CosmosServer, container_name: str, container: ContainerProxy
) -> None:
    """Else a batch that takes longer than one write would begin anew for ever."""
    sizes, begun = list[int](), list[bool]()
    with slow_sink(cosmos, container_name) as (sink, passed, _):
        for _ in range(20):
            try:
                sink.write([many_sensors(600)])
            except SinkUnavailableError as error:
                sizes.append(len(documents(container)))
                begun.append(error.is_begun)
            else:
                break
    assert len(sizes) >= 1
    assert all(begun)
    assert len(documents(container)) == 600
    assert len(passed) == 600  # each document once


def test_a_throttled_write_that_took_some_goes_on_where_it_ended(
    cosmos: CosmosServer, container_name: str, container: ContainerProxy
) -> None:
    """Also where the service asks for more patience than a batch has: the batch comes again."""
    with slow_sink(cosmos, container_name, wait_ms=60_000) as (sink, passed, clock):
        for _ in range(30):
            with suppress(SinkThrottledError):
                sink.write([many_sensors(20)])
                break
        assert clock() == 0
    assert len(passed) == len(documents(container)) == 20
