"""Servers that several test modules share."""

from collections.abc import Iterator

import pytest

from local.azurite import Azurite, running_azurite


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """Run one Azurite for the session; tests keep apart by container names of their own."""
    with running_azurite() as server:
        yield server
