"""What test modules share: servers, a clock, and Hypothesis without chance."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from local.azurite import Azurite, running_azurite
from tests.influxd_server import required_influxd
from tests.moved_time import Clock

# The same examples in every run, and no deadline: a shared machine may stand still for a while.
settings.register_profile("project", deadline=None, derandomize=True)
settings.load_profile("project")


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """Run one Azurite for the session; tests keep apart by container names of their own."""
    with running_azurite() as server:
        yield server


@pytest.fixture(scope="session")
def influxd() -> Path:
    """Find the program of InfluxDB; skips the test without one, and fails it under CI."""
    return required_influxd()


@pytest.fixture
def clock() -> Clock:
    """Return a clock that the test moves."""
    return Clock()
