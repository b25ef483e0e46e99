"""Tests of local.ingest and local.server: events come in over HTTP as with Event Hubs."""

import base64
import http.client
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.http_message import Answer, error_answer
from local.ingest import BATCH_TYPE, MAX_EVENT_BYTES, Ingest
from local.log import EventLog, StoredEvent
from local.server import MAX_BODY_BYTES, LoopbackServer, PortInUseError
from scoring.errors import SettingsError

Post = Callable[..., tuple[int, Any]]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    """Open an empty log of two partitions."""
    with EventLog(tmp_path / "hub.sqlite", partitions=2) as log:
        yield log


@pytest.fixture
def server(log: EventLog) -> Iterator[LoopbackServer]:
    """Run a server that takes events for `hub`."""
    server = LoopbackServer("127.0.0.1", 0)
    ingest = Ingest({"hub": log})
    server.answer = lambda request: ingest.answer(request) or error_answer(404, "not_found", "")
    server.start()
    yield server
    server.stop(5)


@pytest.fixture
def connection(server: LoopbackServer) -> Iterator[http.client.HTTPConnection]:
    """Open one connection, kept alive."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    yield connection
    connection.close()


@pytest.fixture
def post(connection: http.client.HTTPConnection) -> Post:
    """Return a function that posts and gives status and JSON."""

    def send(path: str, body: bytes, **headers: str) -> tuple[int, Any]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST", path, body, named)
        response = connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if text else None

    return send


def batch(*events: dict[str, Any]) -> bytes:
    """Return the body of a batch."""
    return json.dumps(events).encode()


def stored(log: EventLog) -> list[StoredEvent]:
    """Return all events, partition by partition."""
    return [event for partition in range(2) for event in log.read(partition, -1, 1_000)]


def test_one_event_is_the_raw_body(post: Post, log: EventLog) -> None:
    """201 once it is in the log; key and properties come from headers."""
    headers = {"BrokerProperties": '{"PartitionKey": "pump-01"}', "site": '"north"', "n": "7"}
    assert post("/hub/messages?timeout=60", b"\xff\x00", **headers) == (201, None)
    (event,) = stored(log)
    assert (event.body, event.partition_key) == (b"\xff\x00", "pump-01")
    assert json.loads(event.properties) == {"site": "north", "n": 7}


def test_a_batch_is_appended_in_order(post: Post, log: EventLog) -> None:
    """Text or Base64 bodies, keys and properties of each event."""
    key = {"PartitionKey": "k"}
    binary = base64.b64encode(b"\xff").decode()
    body = batch(
        {"Body": "a", "BrokerProperties": key, "UserProperties": {"x": 1}},
        {"BodyBase64": binary, "BrokerProperties": key},
        {"Body": "", "BrokerProperties": key},
    )
    assert post("/hub/messages", body, Content_Type=BATCH_TYPE)[0] == 201
    assert [event.body for event in stored(log)] == [b"a", b"\xff", b""]
    assert stored(log)[0].properties == '{"x": 1}'


def test_a_partition_may_be_named(post: Post, log: EventLog) -> None:
    """All events of the request go there."""
    body = batch({"Body": "a"}, {"Body": "b"})
    assert post("/hub/partitions/1/messages", body, Content_Type=BATCH_TYPE)[0] == 201
    assert [event.body for event in log.read(1, -1, 9)] == [b"a", b"b"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/other/messages", 404, "unknown_hub"),
        ("/hub/partitions/2/messages", 404, "unknown_partition"),
        ("/hub/partitions/x/messages", 404, "unknown_partition"),
        ("/hub", 404, "not_found"),
    ],
)
def test_an_unknown_place_is_404(post: Post, path: str, status: int, code: str) -> None:
    """Errors are JSON of one shape."""
    found, error = post(path, b"x")
    assert (found, error["error"]["code"]) == (status, code)
    assert set(error["error"]) == {"code", "message", "details"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"Body": "x"}',
        b'["x"]',
        b'[{"Body": 1}]',
        b'[{"Body": "x"}, {}]',
        b'[{"Body": "x", "BodyBase64": "eA=="}]',
        b'[{"BodyBase64": "*"}]',
        b'[{"Body": "x", "UserProperties": {"a": [1]}}]',
        b'[{"Body": "\\ud800"}]',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_a_bad_batch_is_400_and_nothing_of_it_is_kept(
    post: Post, log: EventLog, body: bytes
) -> None:
    """A batch is taken whole or not at all."""
    status, error = post("/hub/messages", body, Content_Type=BATCH_TYPE)
    assert (status, error["error"]["code"]) == (400, "bad_batch")
    assert stored(log) == []


@pytest.mark.parametrize(
    ("path", "broker", "code"),
    [
        ("/hub/messages", "{", "bad_broker_properties"),
        ("/hub/messages", '{"PartitionKey": 1}', "bad_broker_properties"),
        ("/hub/partitions/0/messages", '{"PartitionKey": "k"}', "partition_and_key"),
    ],
)
def test_bad_broker_properties_are_400(post: Post, path: str, broker: str, code: str) -> None:
    """A key and a partition contradict each other, as in Event Hubs."""
    status, error = post(path, b"x", BrokerProperties=broker)
    assert (status, error["error"]["code"]) == (400, code)


def test_an_event_may_have_one_mebibyte(post: Post, log: EventLog) -> None:
    """A byte more is 413, alone or together."""
    assert post("/hub/messages", b"x" * MAX_EVENT_BYTES)[0] == 201
    assert post("/hub/messages", b"x" * (MAX_EVENT_BYTES + 1))[0] == 413
    half = {"Body": "x" * (MAX_EVENT_BYTES // 2 + 1)}
    assert post("/hub/messages", batch(half, half), Content_Type=BATCH_TYPE)[0] == 413
    assert len(stored(log)) == 1


def test_events_are_posted(connection: http.client.HTTPConnection) -> None:
    """Another method is 405."""
    connection.request("GET", "/hub/messages")
    assert connection.getresponse().status == 405


def test_a_log_that_takes_nothing_is_503(post: Post, log: EventLog) -> None:
    """The sender is told to send again."""
    log.close()
    status, error = post("/hub/messages", b"x")
    assert (status, error["error"]["code"]) == (503, "log_unavailable")


def test_a_connection_is_kept_alive(post: Post, connection: http.client.HTTPConnection) -> None:
    """Senders need not connect for each batch."""
    post("/hub/messages", b"a")
    first = connection.sock
    post("/hub/messages", b"b")
    assert connection.sock is first is not None


def test_a_chunked_body_is_read(connection: http.client.HTTPConnection, log: EventLog) -> None:
    """Senders may not know the length before."""
    connection.request("POST", "/hub/messages", iter([b"a", b"b"]), encode_chunked=True)
    assert connection.getresponse().status == 201
    assert stored(log)[0].body == b"ab"


@pytest.mark.parametrize("length", ["-1", "x", "1e3"])
def test_a_bad_length_is_400(server: LoopbackServer, length: str) -> None:
    """The connection ends, because the next request cannot be found in it."""
    head = f"POST /hub/messages HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=20) as raw:
        raw.sendall(head.encode())
        answer = raw.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_a_body_beyond_the_hosts_limit_is_413(server: LoopbackServer) -> None:
    """It is not read into memory."""
    length = MAX_BODY_BYTES + 1
    head = f"POST /hub/messages HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=20) as raw:
        raw.sendall(head.encode())
        raw.shutdown(socket.SHUT_WR)
        answer = raw.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_fault_in_answering_is_500(server: LoopbackServer, post: Post) -> None:
    """The connection and the server live on."""

    def fail(request: object) -> Answer:
        raise RuntimeError

    server.answer = fail
    assert [post("/x", b"")[0] for _ in range(2)] == [500, 500]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com", "::"])  # noqa: S104  refused
def test_other_machines_cannot_reach_it(host: str) -> None:
    """There is no authorisation, so only loopback addresses are taken."""
    with pytest.raises(SettingsError, match="loopback"):
        LoopbackServer(host, 0)


def test_a_taken_port_is_named(server: LoopbackServer) -> None:
    """The message says what to do."""
    with pytest.raises(PortInUseError, match=f"port {server.server_port} .* --port"):
        LoopbackServer("127.0.0.1", server.server_port)
