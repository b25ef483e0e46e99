"""Fixtures of empty containers of models.

A test module asks for them with `pytest_plugins`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scoring.storage import Container, FolderStorage
from tests.kinds_of_storage import container_of


@pytest.fixture(params=["folder", "blob"])
def models(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Container]:
    """Return an empty container, of each kind in turn."""
    with container_of(request, tmp_path) as found:
        yield found


@pytest.fixture
def models_folder(tmp_path: Path) -> Container:
    """Return an empty folder container."""
    return FolderStorage(tmp_path).container("models")
