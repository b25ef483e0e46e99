"""Fixtures of a Cosmos DB server and of a sink that writes to it.

A test module asks for them with `pytest_plugins`.
"""

from collections.abc import Iterator

import pytest
from azure.cosmos import ContainerProxy

from scoring.sinks.cosmos import CosmosSink
from tests.cosmos_server import CosmosServer, running_cosmos
from tests.cosmos_sinks import sink_at


@pytest.fixture(scope="module")
def cosmos() -> Iterator[CosmosServer]:
    """Run one server for the module; each test has a container of its own."""
    with running_cosmos() as found:
        yield found


@pytest.fixture
def container_name(request: pytest.FixtureRequest) -> str:
    """Name a container after the test."""
    return "".join(char if char.isalnum() else "-" for char in request.node.name)[:200]


@pytest.fixture
def container(cosmos: CosmosServer, container_name: str) -> Iterator[ContainerProxy]:
    """Look into the container of the test."""
    with cosmos.client() as client:
        yield client.get_database_client("plant").get_container_client(container_name)


@pytest.fixture
def cosmos_sink(cosmos: CosmosServer, container_name: str) -> Iterator[CosmosSink]:
    """Make a sink that writes everything to the server itself."""
    with sink_at(cosmos.url, container_name) as (found, _):
        yield found
