"""Fixtures for the tests of faults of Blob Storage: the server, a store beside it, the client.

A test module asks for them with `pytest_plugins`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scoring.storage.blob import _TIMEOUTS
from tests.blob_plants import Blob
from tests.faulty_stores import InfluxStore

pytest_plugins = ["tests.fault_fixtures"]


@pytest.fixture
def blob(tmp_path: Path) -> Iterator[Blob]:
    """Make a Blob server; it does not run yet."""
    found = Blob(tmp_path / "azurite")
    try:
        yield found
    finally:
        found.stop()


@pytest.fixture
def influx() -> InfluxStore:
    """Make a store; nobody listens yet."""
    return InfluxStore()


@pytest.fixture
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the client try again at once; a test shows how long its pauses are."""
    for name in ("initial_backoff", "increment_base", "random_jitter_range"):
        monkeypatch.setitem(_TIMEOUTS, name, 0)
