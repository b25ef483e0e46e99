"""What test modules share: the emulator of Blob Storage, and Hypothesis without chance."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from local.azurite import Azurite, running_azurite

# The same examples in every run, and no deadline: a shared machine may stand still for a while.
settings.register_profile("project", deadline=None, derandomize=True)
settings.load_profile("project")


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """Run one Azurite for the session; tests keep apart by container names of their own."""
    with running_azurite() as server:
        yield server
