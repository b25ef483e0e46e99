"""Tests of scoring.sinks.cosmos: against a real server from npm, with faults made in front."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import azure.identity
import numpy as np
import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure.cosmos import ContainerProxy, PartitionKey

from scoring.cosmos_settings import CosmosSettings
from scoring.errors import SinkThrottledError, SinkUnavailableError
from scoring.scored import ScoredBatch
from scoring.sinks import cosmos_account
from scoring.sinks.cosmos import CosmosSink
from tests.cosmos_server import (
    KEY,
    Answer,
    CosmosServer,
    FaultyProxy,
    Request,
    connection_string,
    documents,
    running_cosmos,
)
from tests.event_batches import ENQUEUED_NS
from tests.scored_batches import scored_batch

Respond = Callable[[Request], Answer | None]
ROOT = Path(__file__).parent.parent
THROTTLED = Answer(429, {"x-ms-retry-after-ms": "700"})


class Waits:
    """Stands in for sleep, and remembers how long it should have been."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        """Wait no time at all."""
        self.seconds.append(seconds)


@pytest.fixture(scope="module")
def server() -> Iterator[CosmosServer]:
    """Run one server for the module; each test has a container of its own."""
    with running_cosmos() as found:
        yield found


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """Name a container after the test."""
    return "".join(char if char.isalnum() else "-" for char in request.node.name)[:200]


@pytest.fixture
def container(server: CosmosServer, name: str) -> Iterator[ContainerProxy]:
    """Look into the container of the test."""
    with server.client() as client:
        yield client.get_database_client("plant").get_container_client(name)


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
    server: CosmosServer, container: str, respond: Respond
) -> Iterator[tuple[CosmosSink, FaultyProxy, Waits]]:
    """Make a sink behind a proxy."""
    with (
        FaultyProxy(server, respond).running() as proxy,
        sink_at(proxy.url, container) as (sink, waits),
    ):
        yield sink, proxy, waits


@pytest.fixture
def sink(server: CosmosServer, name: str) -> Iterator[CosmosSink]:
    """Make a sink that writes everything to the server itself."""
    with sink_at(server.url, name) as (found, _):
        yield found


def test_a_reading_is_one_document(sink: CosmosSink, container: ContainerProxy) -> None:
    """Names, types and forms are those of the contract; times order as text."""
    payload = {"sensor_id": "pump-1", "time": 1, "temperature": 0.5, "firmware": "4.2"}
    assert sink.write([scored_batch(2, payloads=[payload, {}])]) == []
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


def test_what_is_unknown_is_null(sink: CosmosSink, container: ContainerProxy) -> None:
    """A bare artifact has no calibration, and perhaps no threshold."""
    sink.write([scored_batch(1, anomaly_score=None, is_anomaly=None, causes={})])
    (found,) = documents(container)
    assert (found["anomaly_score"], found["is_anomaly"]) == (None, None)


def test_writing_again_replaces(sink: CosmosSink, container: ContainerProxy) -> None:
    """One document an identity; the version that scored last is the one stored."""
    for version in ("v1", "v1", "v2"):
        sink.write([scored_batch(3, model_version=version)])
    assert [one["model_version"] for one in documents(container)] == ["v2"] * 3


def test_two_models_of_one_sensor_are_kept_apart(
    sink: CosmosSink, container: ContainerProxy
) -> None:
    """The model is part of the identity."""
    sink.write([scored_batch(2), scored_batch(2, model="other")])
    assert [one["model"] for one in documents(container)] == ["default", "other"] * 2


def test_readings_that_share_an_identity_are_one_document(
    sink: CosmosSink, container: ContainerProxy
) -> None:
    """That of the last, as in every store."""
    times = np.full(150, ENQUEUED_NS)
    sink.write([scored_batch(150, event_time_ns=times)])
    (found,) = documents(container)
    assert found["features"]["temperature"] == 149.5


@pytest.mark.parametrize(
    "sensor",
    ["a/b", "a\\b", "#?x", 'say "hi"', "läuft 🔧", " a ", "x" * 256, "[1]", "null"],
)
def test_any_sensor_id_is_a_partition_key(
    sink: CosmosSink, container: ContainerProxy, sensor: str
) -> None:
    """It stands in a header as JSON; ids of documents hold none of it."""
    sink.write([scored_batch(2, sensor_ids=[sensor] * 2)])
    found = container.read_item(f"default|{ENQUEUED_NS}", partition_key=sensor)
    assert found["sensor_id"] == sensor
    assert len(documents(container)) == 2


def test_many_readings_of_a_sensor_take_few_requests(server: CosmosServer, name: str) -> None:
    """A transactional batch takes 100 operations."""
    with faulty(server, name, lambda _: None) as (sink, proxy, _):
        sink.write([scored_batch(250)])
    sizes = sorted(len(json.loads(request.body)) for request in proxy.batches)
    assert sizes == [50, 100, 100]


def test_large_readings_are_cut_by_their_bytes(
    server: CosmosServer, name: str, container: ContainerProxy
) -> None:
    """A transactional batch takes 2 MB; the server refuses more."""
    payloads = [{"trace": "ö" * 100_000}] * 30
    with faulty(server, name, lambda _: None) as (sink, proxy, _):
        assert sink.write([scored_batch(30, payloads=payloads)]) == []
    assert [len(request.body) < 2_000_000 for request in proxy.batches] == [True] * 4
    assert len(documents(container)) == 30


def test_many_sensors_are_written(sink: CosmosSink, container: ContainerProxy) -> None:
    """One batch each, several at once."""
    sink.write([scored_batch(300, sensor_ids=[f"pump-{i:03d}" for i in range(300)])])
    assert len(documents(container)) == 300


def test_nothing_is_asked_where_nothing_is_to_write(server: CosmosServer, name: str) -> None:
    """Not even a connection."""
    with faulty(server, name, lambda _: None) as (sink, proxy, _):
        sink.write([])
    assert proxy.requests == []


def test_only_anomalies_are_written_where_that_is_asked_for(
    server: CosmosServer, name: str, container: ContainerProxy
) -> None:
    """What nothing decided about is none."""
    undecided = scored_batch(3, model="undecided", is_anomaly=None)
    with sink_at(server.url, name, write="anomalies") as (sink, _):
        sink.write([scored_batch(3), undecided])
        assert [len(sink.wanted(one)) for one in (scored_batch(3), undecided)] == [1, 0]
    assert [(one["model"], one["is_anomaly"]) for one in documents(container)] == [
        ("default", True)
    ]


def test_what_is_missing_is_made_with_a_connection_string(
    sink: CosmosSink, container: ContainerProxy
) -> None:
    """With partition key, index and time to live of the contract."""
    sink.write([scored_batch(1)])
    found = container.read()
    assert found["partitionKey"]["paths"] == ["/sensor_id"]
    assert found["defaultTtl"] == 90 * 24 * 3600
    policy = found["indexingPolicy"]
    assert policy["excludedPaths"] == [{"path": "/*"}]
    assert {one["path"] for one in policy["includedPaths"]} == {
        "/sensor_id/?",
        "/event_time/?",
        "/model/?",
        "/is_anomaly/?",
    }
    (index,) = policy["compositeIndexes"]
    assert [(one["path"], one["order"]) for one in index] == [
        ("/sensor_id", "ascending"),
        ("/event_time", "descending"),
    ]


def test_a_container_that_is_there_stays_as_it_is(
    server: CosmosServer, name: str, sink: CosmosSink, container: ContainerProxy
) -> None:
    """Its owner may have another time to live."""
    with server.client() as client:
        database = client.create_database_if_not_exists("plant")
        database.create_container(name, PartitionKey("/sensor_id"), default_ttl=7)
    sink.write([scored_batch(1)])
    assert container.read()["defaultTtl"] == 7


def test_a_container_with_another_partition_key_is_refused_whole(
    server: CosmosServer, name: str, sink: CosmosSink
) -> None:
    """It would refuse every document, and all readings would be dead letters."""
    with server.client() as client:
        database = client.create_database_if_not_exists("plant")
        database.create_container(name, PartitionKey("/device"))
    with pytest.raises(SinkUnavailableError, match=r"than /sensor_id; set COSMOS_CONTAINER"):
        sink.write([scored_batch(1)])


class Credential:
    """Stands in for the identity of an app: no server gives tokens on loopback."""

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        """Return a token for an hour."""
        return AccessToken("token", int(time.time()) + 3600)


# The server's certificate is its own; the client checks none on loopback.
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_under_an_identity_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """The deployment makes database and container; once they are there, the same sink writes."""
    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", Credential)
    with running_cosmos(scheme="https") as server, server.client() as client:
        found = CosmosSettings(server.url, None, "plant", "scores", "all")
        with closing(CosmosSink(found, ("sensor_id",), Waits())) as sink:
            with pytest.raises(SinkUnavailableError, match=r"COSMOS_DATABASE and .*CONTAINER"):
                sink.write([scored_batch(1)])
            assert list(client.list_databases()) == []
            database = client.create_database("plant")
            container = database.create_container("scores", PartitionKey("/sensor_id"))
            sink.write([scored_batch(1)])
            assert len(documents(container)) == 1


def test_an_identity_without_a_token_is_told_its_role(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There is nothing to try again."""

    class Nobody(Credential):
        def get_token(self, *_: str, **__: Any) -> AccessToken:
            raise ClientAuthenticationError("no identity")

    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", Nobody)
    waits = Waits()
    found = CosmosSettings("https://127.0.0.1:1", None, "plant", "scores", "all")
    with (
        closing(CosmosSink(found, ("sensor_id",), waits)) as sink,
        pytest.raises(SinkUnavailableError, match="Data Contributor on the container of COSM"),
    ):
        sink.write([scored_batch(1)])
    assert waits.seconds == []


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_key_is_named_at_once(server: CosmosServer, name: str, status: int) -> None:
    """One try, and the key stands in no message."""
    with (
        faulty(server, name, lambda one: Answer(status) if one.is_batch else None) as found,
        pytest.raises(SinkUnavailableError) as caught,
    ):
        found[0].write([scored_batch(1)])
    assert len(found[1].batches) == 1
    assert f"answered {status}; check the key in COSMOS_CONNECTION_STRING" in str(caught.value)
    assert KEY not in str(caught.value)


def test_a_server_that_is_killed_is_an_outage_that_ends(name: str) -> None:
    """In bounded time; a server that came back empty gets its container again."""
    with running_cosmos() as server, sink_at(server.url, name) as (sink, waits):
        sink.write([scored_batch(1)])
        server.kill()
        started = time.monotonic()
        with pytest.raises(SinkUnavailableError, match=r"did not answer .*CONNECTION_STRING is re"):
            sink.write([scored_batch(1)])
        assert time.monotonic() - started < 10
        assert len(waits.seconds) == 2
        with running_cosmos(port=server.port) as again, again.client() as client:
            with pytest.raises(SinkUnavailableError, match="404"):
                sink.write([scored_batch(2)])
            sink.write([scored_batch(2)])
            container = client.get_database_client("plant").get_container_client(name)
            assert len(documents(container)) == 2


def test_a_server_that_was_never_there_is_an_outage_too(name: str) -> None:
    """Nothing has been opened yet."""
    with running_cosmos() as server:
        server.kill()
        with (
            sink_at(server.url, name) as (sink, waits),
            pytest.raises(SinkUnavailableError, match="did not answer"),
        ):
            sink.write([scored_batch(1)])
    assert len(waits.seconds) == 2


def test_a_server_that_says_nothing_is_given_up(
    server: CosmosServer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred sensors wait no longer than one: after the first silence the rest is left."""
    monkeypatch.setattr(cosmos_account, "_TIMEOUT_S", 0.5)
    ended = threading.Event()

    def silent(request: Request) -> Answer | None:
        if request.is_batch:
            ended.wait(30)
        return None

    batch = scored_batch(100, sensor_ids=[f"pump-{i}" for i in range(100)])
    started = time.monotonic()
    with faulty(server, name, silent) as (sink, proxy, _):
        try:
            with pytest.raises(SinkUnavailableError, match="did not answer"):
                sink.write([batch])
        finally:
            ended.set()
    assert time.monotonic() - started < 10
    assert len(proxy.batches) <= 30  # ten at once, three times


def first_batches(n: int, answer: Answer) -> Respond:
    """Answer the first `n` batches so, and pass on everything else."""
    left = [answer] * n
    return lambda request: left.pop() if left and request.is_batch else None


@pytest.mark.parametrize("status", [408, 429, 449, 500, 503])
def test_a_fault_that_passes_is_tried_again(
    server: CosmosServer, name: str, container: ContainerProxy, status: int
) -> None:
    """Twice at most, with growing waits."""
    with faulty(server, name, first_batches(2, Answer(status))) as (sink, proxy, waits):
        sink.write([scored_batch(2)])
    assert len(proxy.batches) == 3
    first, second = waits.seconds
    assert 0.5 <= first <= 0.75
    assert 1.0 <= second <= 1.5
    assert len(documents(container)) == 2


def test_a_throttled_service_is_asked_again_as_late_as_it_says(
    server: CosmosServer, name: str
) -> None:
    """The client's own nine retries are off: there is one layer of them."""
    with faulty(server, name, first_batches(1, THROTTLED)) as (sink, proxy, waits):
        sink.write([scored_batch(2)])
    assert len(proxy.batches) == 2
    assert 0.7 <= waits.seconds[0] <= 1.05


def test_a_service_that_stays_throttled_makes_the_batch_wait(
    server: CosmosServer, name: str
) -> None:
    """It is there: the caller keeps the batch, and spills nothing."""
    with (
        faulty(server, name, first_batches(99, THROTTLED)) as (sink, proxy, _),
        pytest.raises(SinkThrottledError, match="more throughput"),
    ):
        sink.write([scored_batch(2)])
    assert len(proxy.batches) == 3


def test_a_throttled_service_that_takes_some_is_given_the_rest(
    server: CosmosServer, name: str, container: ContainerProxy
) -> None:
    """However often it throttles: a batch that never ends would begin again from its start."""
    turns = iter(range(10_000))

    def every_second(request: Request) -> Answer | None:
        return THROTTLED if request.is_batch and next(turns) % 2 else None

    batch = scored_batch(60, sensor_ids=[f"pump-{i:02d}" for i in range(60)])
    with faulty(server, name, every_second) as (sink, _, waits):
        assert sink.write([batch]) == []
    assert len(waits.seconds) > 3
    assert len(documents(container)) == 60


class Clock:
    """Moves as far as is slept, and no further."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds


@contextmanager
def slow_sink(
    server: CosmosServer, name: str, wait_ms: int = 4_000
) -> Iterator[tuple[CosmosSink, list[Request], Clock]]:
    """Make a sink whose service takes every second group; gives those that it took."""
    clock, turns = Clock(), iter(range(10_000))
    throttled = Answer(429, {"x-ms-retry-after-ms": str(wait_ms)})
    passed: list[Request] = []

    def respond(request: Request) -> Answer | None:
        if not request.is_batch:
            return None
        if next(turns) % 2:
            return throttled
        passed.append(request)
        return None

    with FaultyProxy(server, respond).running() as proxy:
        found = settings(proxy.url, name)
        with closing(CosmosSink(found, ("sensor_id",), clock.sleep, clock)) as sink:
            yield sink, passed, clock


def many_sensors(n: int, **changes: Any) -> ScoredBatch:
    """Make readings that are a group each."""
    return scored_batch(n, sensor_ids=[f"pump-{i:03d}" for i in range(n)], **changes)


def test_a_write_ends_before_the_host_ends_its_process(server: CosmosServer, name: str) -> None:
    """After four minutes, however much was taken; the batch is spilled, and not held."""
    with slow_sink(server, name) as (sink, _, clock):
        with pytest.raises(
            SinkUnavailableError, match="COSMOS_CONTAINER more throughput"
        ) as caught:
            sink.write([many_sensors(900)])
        assert 240 <= clock() <= 246
    assert not isinstance(caught.value, SinkThrottledError)


def test_a_write_that_ran_out_of_time_goes_on_where_it_ended(
    server: CosmosServer, name: str, container: ContainerProxy
) -> None:
    """Else a batch that takes longer than one write would begin anew for ever."""
    sizes = []
    with slow_sink(server, name) as (sink, passed, _):
        for _ in range(20):
            try:
                sink.write([many_sensors(600)])
            except SinkUnavailableError:
                sizes.append(len(documents(container)))
            else:
                break
    assert len(sizes) >= 1
    assert len(documents(container)) == 600
    assert len(passed) == 600  # each document once


def test_a_throttled_write_that_took_some_goes_on_where_it_ended(
    server: CosmosServer, name: str, container: ContainerProxy
) -> None:
    """Also where the service asks for more patience than a batch has: the batch comes again."""
    with slow_sink(server, name, wait_ms=60_000) as (sink, passed, clock):
        for _ in range(30):
            with suppress(SinkThrottledError):
                sink.write([many_sensors(20)])
                break
        assert clock() == 0
    assert len(passed) == len(documents(container)) == 20


@pytest.mark.parametrize("asked", ["3600000", "soon", "-5"])
def test_a_batch_has_bounded_patience(server: CosmosServer, name: str, asked: str) -> None:
    """An hour is not waited for, and nonsense is no wish."""
    answer = Answer(429, {"x-ms-retry-after-ms": asked})
    with (
        faulty(server, name, first_batches(99, answer)) as (sink, _, waits),
        pytest.raises(SinkThrottledError),
    ):
        sink.write([scored_batch(1)])
    assert all(0.5 <= seconds <= 1.5 for seconds in waits.seconds)


def test_a_document_that_is_too_large_costs_none_of_its_neighbours(
    sink: CosmosSink, container: ContainerProxy
) -> None:
    """The server refuses it alone; those before and after it are stored."""
    payloads = [{}, {}, {"trace": "x" * 2_200_000}, {}]
    batch = scored_batch(4, payloads=payloads)
    (refused,) = sink.write([batch])
    assert (refused.batch, refused.row, refused.message) == (batch, 2, "cosmos answered 413")
    assert len(documents(container)) == 3


def test_refusals_of_many_sensors_cost_none_of_the_others(
    sink: CosmosSink, container: ContainerProxy
) -> None:
    """Each batch stands alone, at the same time as the others."""
    payloads = [{"trace": "x" * 2_200_000} if i % 10 == 0 else {} for i in range(60)]
    batch = scored_batch(60, payloads=payloads, sensor_ids=[f"pump-{i % 20}" for i in range(60)])
    assert sorted(one.row for one in sink.write([batch])) == list(range(0, 60, 10))
    assert len(documents(container)) == 54


def failing_items(statuses: dict[int, int], times: int = 99) -> Respond:
    """Fail batches in which documents of these seconds stand, as the service does."""
    left = [times]
    ids = {f"default|{ENQUEUED_NS + second * 10**9}": code for second, code in statuses.items()}

    def respond(request: Request) -> Answer | None:
        if not request.is_batch or not left[0]:
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
    server: CosmosServer, name: str, container: ContainerProxy, status: int
) -> None:
    """The others failed with it, and are sent again at once."""
    batch = scored_batch(10)
    with faulty(server, name, failing_items({3: status, 7: status})) as (sink, _, waits):
        refused = sink.write([batch])
    assert [one.row for one in refused] == [3, 7]
    assert refused[0].message == f"cosmos answered {status}"
    assert waits.seconds == []
    assert len(documents(container)) == 8


@pytest.mark.parametrize("status", [408, 429, 449, 503])
def test_an_operation_that_may_work_later_is_tried_again(
    server: CosmosServer, name: str, container: ContainerProxy, status: int
) -> None:
    """Its status counts, and not that of the whole answer; nothing is refused for it."""
    with faulty(server, name, failing_items({3: status}, times=1)) as (sink, _, waits):
        assert sink.write([scored_batch(10)]) == []
    assert 0.9 <= waits.seconds[0] <= 1.35
    assert len(documents(container)) == 10


def test_an_operation_that_is_forbidden_is_a_matter_of_roles(
    server: CosmosServer, name: str
) -> None:
    """No reading is at fault."""
    with (
        faulty(server, name, failing_items({3: 403})) as (sink, _, _),
        pytest.raises(SinkUnavailableError, match="answered 403"),
    ):
        sink.write([scored_batch(10)])


def full_partition(sensor: str, form: str) -> Respond:
    """Refuse a sensor as a logical partition of 20 GB does."""
    sub = {"x-ms-substatus": "1014"}

    def respond(request: Request) -> Answer | None:
        if not request.is_batch or sensor not in request.headers["x-ms-documentdb-partitionkey"]:
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
    server: CosmosServer, name: str, container: ContainerProxy, form: str
) -> None:
    """The account is not denied: its readings are refused, a request a group, with a remedy."""
    batch = scored_batch(300, sensor_ids=["full", "pump-1"] * 150)
    with faulty(server, name, full_partition("full", form)) as (sink, proxy, waits):
        refused = sink.write([batch])
    assert sorted(one.row for one in refused) == list(range(0, 300, 2))
    assert "is full (20 GB); shorten the container's time to live" in refused[0].message
    assert "then replay" in refused[0].message
    assert (len(proxy.batches), waits.seconds) == (4, [])
    assert {one["sensor_id"] for one in documents(container)} == {"pump-1"}
    assert len(documents(container)) == 150


def test_another_sub_status_of_403_is_a_matter_of_roles(server: CosmosServer, name: str) -> None:
    """Such as 5300: this identity may not write."""
    answer = Answer(403, {"x-ms-substatus": "5300"})
    with (
        faulty(server, name, first_batches(9, answer)) as (sink, _, _),
        pytest.raises(SinkUnavailableError, match="answered 403"),
    ):
        sink.write([scored_batch(10)])


def test_a_batch_that_fails_and_blames_none_does_not_come_for_ever(
    server: CosmosServer, name: str
) -> None:
    """A server that answers nonsense is an outage."""
    with (
        faulty(server, name, failing_items({3: 424})) as (sink, _, waits),
        pytest.raises(SinkUnavailableError, match="named no operation"),
    ):
        sink.write([scored_batch(10)])
    assert len(waits.seconds) == 2


@pytest.mark.parametrize("status", [400, 413])
def test_a_request_that_is_refused_whole_is_told_apart_by_halves(
    server: CosmosServer, name: str, container: ContainerProxy, status: int
) -> None:
    """Until what is at fault stands alone."""
    bad = f"default|{ENQUEUED_NS + 5 * 10**9}"

    def refuse(request: Request) -> Answer | None:
        is_bad = request.is_batch and bad.encode() in request.body
        return Answer(status, {}, b'{"message": "not this one"}') if is_bad else None

    with faulty(server, name, refuse) as (sink, _, _):
        (refused,) = sink.write([scored_batch(10)])
    assert refused.row == 5
    assert f"cosmos answered {status}" in refused.message
    assert "not this one" in refused.message
    assert len(documents(container)) == 9


def test_a_bug_is_not_taken_for_a_store_that_is_down(
    server: CosmosServer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on to the batch boundary, and is never tried again."""

    def broken(*_: object, **__: object) -> None:
        raise TypeError("a bug")

    monkeypatch.setattr(ContainerProxy, "execute_item_batch", broken)
    batch = scored_batch(50, sensor_ids=[f"pump-{i}" for i in range(50)])
    with sink_at(server.url, name) as (sink, waits), pytest.raises(TypeError, match="a bug"):
        sink.write([batch])
    assert waits.seconds == []


def test_a_write_while_the_process_ends_is_no_fault_of_its_readings(
    server: CosmosServer, name: str
) -> None:
    """No thread may begin then; the batch is spilled or held, and comes again."""
    command = [sys.executable, "-m", "tests.writing_at_exit", server.url, name]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.startswith("SinkUnavailableError: sink cosmos: takes no batch while")


def test_threads_share_one_client(
    server: CosmosServer, name: str, container: ContainerProxy
) -> None:
    """Partitions write at the same time: the account is asked once, and nothing gets lost."""
    with faulty(server, name, lambda _: None) as (sink, proxy, _):
        threads = [
            threading.Thread(target=sink.write, args=([scored_batch(1, first=i)],))
            for i in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(documents(container)) == 16
    assert sum(one.method == "POST" and not one.is_batch for one in proxy.requests) <= 2


def test_a_closed_sink_opens_again(sink: CosmosSink, container: ContainerProxy) -> None:
    """A test or a host may let go of it between batches."""
    for first in (0, 5):
        sensors = [f"pump-{i}" for i in range(5)]
        sink.write([scored_batch(5, first=first, sensor_ids=sensors)])
        sink.close()
    assert len(documents(container)) == 10
