"""Fixtures for the tests of faults: two stores, of which one fails, and an app that writes to both.

A test module asks for them with `pytest_plugins`.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from tests.cosmos_server import CosmosServer
from tests.faulty_plants import Clock, Plant, Run, publish_model, running_plant
from tests.faulty_stores import CosmosStore, FaultyStore, Fronts, InfluxStore, fronts

pytest_plugins = ["tests.cosmos_fixtures"]


@pytest.fixture
def stores(cosmos: CosmosServer) -> dict[str, FaultyStore]:
    """Make both stores; nobody listens yet."""
    return {store.name: store for store in (InfluxStore(), CosmosStore(cosmos))}


@pytest.fixture(params=["influxdb", "cosmos"])
def faulty(request: pytest.FixtureRequest, stores: dict[str, FaultyStore]) -> FaultyStore:
    """Choose the one that fails."""
    return stores[request.param]


@pytest.fixture
def other(faulty: FaultyStore, stores: dict[str, FaultyStore]) -> FaultyStore:
    """Return the one that does not."""
    (found,) = (store for store in stores.values() if store is not faulty)
    return found


@pytest.fixture
def up() -> Iterator[Fronts]:
    """Stop at the end whatever listens."""
    with fronts() as found:
        yield found


@pytest.fixture
def run(tmp_path: Path, stores: dict[str, FaultyStore]) -> Iterator[Run]:
    """Build apps on one folder, as before and after a restart."""
    clock = Clock()
    with ExitStack() as stack:

        def start(**environ: str) -> Plant:
            opened: AbstractContextManager[Plant] = running_plant(
                tmp_path, clock, list(stores.values()), **environ
            )
            plant = stack.enter_context(opened)
            publish_model(plant)
            return plant

        yield start


@pytest.fixture
def plant(run: Run, up: Fronts, stores: dict[str, FaultyStore]) -> Plant:
    """Start both stores, then the app."""
    for store in stores.values():
        up.start(store)
    started: Plant = run()
    return started
