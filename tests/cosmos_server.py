"""Runs a Cosmos DB server from npm on loopback, and a proxy in front of it that makes faults."""

import http.client
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azure.cosmos import ContainerProxy, CosmosClient

from local.node_package import install_node_package, node
from tests.http_double import Answer, HttpDouble, Request

VERSION = "1.0.1"
KEY = "c2VjcmV0LWtleQ=="  # any will do: the server checks none
START_TIMEOUT_S = 60.0  # it takes half a second; a loaded machine takes longer


@dataclass(frozen=True, slots=True)
class CosmosServer:
    """A running server; everything is in memory."""

    process: "subprocess.Popen[str]"
    port: int
    scheme: str

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def connection_string(self) -> str:
        """As the portal shows it."""
        return connection_string(self.url)

    @contextmanager
    def client(self) -> Iterator[CosmosClient]:
        """Open a client of its own, to look at what was stored."""
        with CosmosClient(self.url, KEY, enable_endpoint_discovery=False) as client:
            yield client

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self.process.wait()


def connection_string(url: str) -> str:
    """Write a connection string."""
    return f"AccountEndpoint={url}/;AccountKey={KEY};"


def install_cosmos_server() -> Path:
    """Install the server in the virtual environment unless it is there; return its folder."""
    prefix = Path(sys.prefix) / "cosmosdb-server"
    return install_node_package("@vercel/cosmosdb-server", VERSION, prefix)


@contextmanager
def running_cosmos(*, port: int = 0, scheme: str = "http") -> Iterator[CosmosServer]:
    """Run a server for the length of a with block, on a free port unless one is given."""
    script = Path(__file__).with_suffix(".js")
    command = [str(node()), str(script), str(install_cosmos_server()), str(port), scheme]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    # a server that says nothing is ended, and reading it then gives nothing
    watch = threading.Timer(START_TIMEOUT_S, process.kill)
    watch.start()
    try:
        said = process.stdout.readline().strip()
        watch.cancel()
        assert said, "the Cosmos DB server did not start"
        yield CosmosServer(process, int(said), scheme)
    finally:
        watch.cancel()
        process.kill()
        process.communicate()


def documents(container: ContainerProxy) -> list[dict[str, Any]]:
    """Return every document, without what the server adds, in order of its sensor and time."""
    found = container.query_items("SELECT * FROM c", enable_cross_partition_query=True)
    plain = [{k: v for k, v in one.items() if not k.startswith("_")} for one in found]
    return sorted(plain, key=lambda one: (one["sensor_id"], one["event_time"], one["model"]))


class FaultyProxy(HttpDouble):
    """Stands in front of a server: `respond` gives an answer of its own, or None to pass on."""

    def __init__(
        self, server: CosmosServer, respond: Callable[[Request], Answer | None], port: int = 0
    ) -> None:
        super().__init__(lambda request: respond(request) or passed_on(server.port, request), port)

    @property
    def batches(self) -> list[Request]:
        """The requests that write documents."""
        return [request for request in self.requests if is_batch(request)]


def is_batch(request: Request) -> bool:
    """Tell whether a request writes documents."""
    return str(request.headers.get("x-ms-cosmos-is-batch-request")).lower() == "true"


def passed_on(port: int, request: Request) -> Answer:
    """Ask the server itself."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(request.method, request.target, request.body, dict(request.headers))
        found = connection.getresponse()
        return Answer(found.status, dict(found.getheaders()), found.read())
    finally:
        connection.close()
