"""Sinks of Cosmos DB that wait no time, some with faults made in front of the server."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from scoring.cosmos_settings import CosmosSettings
from scoring.scored import ScoredBatch
from scoring.sinks.cosmos import CosmosSink
from tests.cosmos_server import CosmosServer, FaultyProxy, connection_string, is_batch
from tests.http_double import Answer, Request
from tests.moved_time import Waits
from tests.scored_batches import scored_batch

Respond = Callable[[Request], Answer | None]
THROTTLED = Answer(429, {"x-ms-retry-after-ms": "700"})


def settings(url: str, container: str, **changes: Any) -> CosmosSettings:
    """Point at a server on loopback, by key."""
    values = {"database": "plant", "container": container, "write": "all", **changes}
    return CosmosSettings(None, connection_string(url), **values)


@contextmanager
def sink_at(url: str, container: str, **changes: Any) -> Iterator[tuple[CosmosSink, Waits]]:
    """Make a sink that waits no time."""
    waits = Waits()
    ids = ("sensor_id", "device_id")
    with closing(CosmosSink(settings(url, container, **changes), ids, waits)) as sink:
        yield sink, waits


@contextmanager
def faulty(
    cosmos: CosmosServer, container: str, respond: Respond
) -> Iterator[tuple[CosmosSink, FaultyProxy, Waits]]:
    """Make a sink behind a proxy."""
    with (
        FaultyProxy(cosmos, respond).running() as proxy,
        sink_at(proxy.url, container) as (sink, waits),
    ):
        yield sink, proxy, waits


def first_batches(n: int, answer: Answer) -> Respond:
    """Answer the first `n` batches so, and pass on everything else."""
    left = [answer] * n
    return lambda request: left.pop() if left and is_batch(request) else None


def many_sensors(n: int, **changes: Any) -> ScoredBatch:
    """Make readings that are a group each."""
    return scored_batch(n, sensor_ids=[f"pump-{i:03d}" for i in range(n)], **changes)
