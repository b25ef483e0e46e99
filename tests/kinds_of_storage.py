"""Each kind of storage, empty."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from scoring.storage import BlobStorage, Container, FolderStorage, Storage

if TYPE_CHECKING:
    from local.azurite import Azurite


@contextmanager
def storage_of(request: pytest.FixtureRequest, folder: Path) -> Iterator[Storage]:
    """Open a folder, or else Azurite, as the fixture's parameter says."""
    if request.param == "folder":
        yield FolderStorage(folder)
        return
    azurite: Azurite = request.getfixturevalue("azurite")
    storage = BlobStorage(connection_string=azurite.connection_string)
    yield storage
    storage.service().close()


@contextmanager
def container_of(request: pytest.FixtureRequest, folder: Path) -> Iterator[Container]:
    """Name a container that no other test uses, on the kind of storage that is asked for."""
    with storage_of(request, folder) as storage:
        yield storage.container(f"test-{uuid4().hex}")
