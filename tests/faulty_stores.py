"""Stores on loopback that keep one result an identity, and fail as they are told."""

import random
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from socket import create_server
from typing import Protocol
from uuid import uuid4

from azure.cosmos.exceptions import CosmosResourceNotFoundError

from tests.cosmos_server import (
    CosmosServer,
    FaultyProxy,
    connection_string,
    documents,
    is_batch,
    passed_on,
)
from tests.http_double import Answer, HttpDouble, Request
from tests.influxd_server import TOKEN

Identity = tuple[str, int]
BUSY_S = 3


def free_port() -> int:
    """Find a port on which nobody listens.

    Below those that outgoing connections take by themselves: a server that is stopped comes back.
    """
    while True:
        port = random.SystemRandom().randrange(15_000, 32_000)
        with suppress(OSError), create_server(("127.0.0.1", port)):
            return port


class FaultyStore(Protocol):
    """A store with a fault: one of those below, or none.

    Parameters
    ----------
    fault : str
        `silent`: takes a write, and never says so. `errors`: 500. `busy`: 429, and when to come
        again. `partial`: takes a part, and fails. `denied`: 401. `missing`: 404. `refusing`: takes
        all but one reading, for ever. `elsewhere`: what answers is no InfluxDB, and says 200.
    n_writes : int
        Requests that asked to write.
    """

    name: str
    fault: str
    refused: Identity
    n_writes: int
    released: threading.Event
    port: int

    def environment(self) -> dict[str, str]:
        """Return the settings that lead to it."""

    def identities(self) -> list[Identity]:
        """Return what is stored: sensor and event time."""

    def front(self) -> HttpDouble:
        """Make the server that clients reach; on one port each time."""


class Fronts:
    """The servers of stores, started and stopped one by one: a stopped one refuses connections."""

    def __init__(self) -> None:
        self._running: dict[str, ExitStack] = {}

    def start(self, store: FaultyStore) -> None:
        """Let it listen."""
        self._running[store.name] = ExitStack()
        self._running[store.name].enter_context(store.front().running())

    def close(self) -> None:
        """Stop all."""
        for stack in self._running.values():
            stack.close()


@contextmanager
def fronts() -> Iterator[Fronts]:
    """Stop what was started in a with block."""
    found = Fronts()
    try:
        yield found
    finally:
        found.close()


class InfluxStore:
    """InfluxDB's write API over a dictionary."""

    name = "influxdb"

    def __init__(self) -> None:
        self.port = free_port()
        self.fault = ""
        self.refused: Identity = ("", 0)
        self.n_writes = 0
        self.released = threading.Event()
        self._points: dict[Identity, str] = {}

    def environment(self) -> dict[str, str]:
        """See `FaultyStore`."""
        return {
            "INFLUXDB_URL": f"http://127.0.0.1:{self.port}",
            "INFLUXDB_ORG": "plant",
            "INFLUXDB_BUCKET": "scores",
            "INFLUXDB_TOKEN": TOKEN,
        }

    def front(self) -> HttpDouble:
        """See `FaultyStore`."""
        return HttpDouble(self._respond, self.port)

    def identities(self) -> list[Identity]:
        """See `FaultyStore`."""
        return sorted(self._points)

    def value(self, identity: Identity) -> str:
        """Return the fields of a point."""
        return self._points[identity].split(" ")[1]

    def _respond(self, request: Request) -> Answer:
        self.n_writes += 1
        lines = request.text.split("\n")
        if request.headers.get("Authorization") != f"Token {TOKEN}":
            return Answer(401)
        if self.fault == "silent":
            self._take(lines)
            self.released.wait(30)
        elif self.fault == "partial":
            self._take(lines[: len(lines) // 2])
        elif self.fault == "refusing":
            kept = [line for line in lines if _identity(line) != self.refused]
            self._take(kept)
            dropped = f"partial write: too old dropped={len(lines) - len(kept)}".encode()
            return Answer() if kept == lines else Answer(422, body=dropped)
        elif not self.fault:
            self._take(lines)
        retry_after = {"Retry-After": str(BUSY_S)} if self.fault == "busy" else {}
        return Answer(_STATUS[self.fault], retry_after)

    def _take(self, lines: list[str]) -> None:
        self._points |= {_identity(line): line for line in lines}


_STATUS: Mapping[str, int] = {
    "": 204,
    "silent": 204,
    "errors": 500,
    "partial": 500,
    "busy": 429,
    "denied": 401,
    "missing": 404,
    "elsewhere": 200,
}


def _identity(line: str) -> Identity:
    head, _, time_ns = line.rpartition(" ")
    return head.split("sensor_id=", 1)[1].split(",", 1)[0], int(time_ns)


class CosmosStore:
    """A container of its own on a Cosmos DB server, behind a proxy."""

    name = "cosmos"

    def __init__(self, server: CosmosServer) -> None:
        self.port = free_port()
        self.fault = ""
        self.refused: Identity = ("", 0)
        self.n_writes = 0
        self.released = threading.Event()
        self._server = server
        self._container = f"scores-{uuid4().hex}"

    def environment(self) -> dict[str, str]:
        """See `FaultyStore`."""
        url = f"http://127.0.0.1:{self.port}"
        return {
            "COSMOS_CONNECTION_STRING": connection_string(url),
            "COSMOS_DATABASE": "plant",
            "COSMOS_CONTAINER": self._container,
            "COSMOS_WRITE": "all",
        }

    def front(self) -> FaultyProxy:
        """See `FaultyStore`."""
        return FaultyProxy(self._server, self._respond, self.port)

    def identities(self) -> list[Identity]:
        """See `FaultyStore`."""
        with self._server.client() as client:
            database = client.get_database_client("plant")
            try:
                found = documents(database.get_container_client(self._container))
            except CosmosResourceNotFoundError:
                return []
        return sorted((one["sensor_id"], int(one["event_time_ns"])) for one in found)

    def _respond(self, request: Request) -> Answer | None:
        if not is_batch(request):
            return None
        self.n_writes += 1
        if self.fault == "silent":
            passed_on(self._server.port, request)
            self.released.wait(30)
        elif self.fault == "refusing":
            is_at_fault = f"|{self.refused[1]}".encode() in request.body
            return Answer(400, {}, b'{"message": "too old"}') if is_at_fault else None
        elif not self.fault or (self.fault == "partial" and b"pump-0" in request.body):
            return None
        retry_after = {"x-ms-retry-after-ms": str(BUSY_S * 1_000)} if self.fault == "busy" else {}
        return Answer(_STATUS[self.fault], retry_after)
