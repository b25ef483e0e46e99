"""A disk that is full, in the whole delivery: batches are held, or go on without it.

A row of docs/faults.md. A full disk is the operating system's limit on the size of files: a write
beyond it fails in the middle, as it does for want of space.
"""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scoring.dead_letters import CONTAINER as DEAD_LETTERS
from scoring.dead_letters import DeadLetters
from scoring.errors import StorageUnavailableError
from scoring.storage import FolderStorage
from tests.faulty_plants import (
    BAD,
    N_GOOD,
    SLOW_S,
    Clock,
    Plant,
    assert_held,
    assert_nothing_lost,
    batch,
    good,
    publish_model,
    running_plant,
)
from tests.faulty_stores import Identity

if TYPE_CHECKING:
    from tests.deployments import Deployment


class SqliteFile:
    """The app's own file of scores, as a store to look into."""

    name = "sqlite"

    def __init__(self, deployment: "Deployment") -> None:
        self._deployment = deployment

    def environment(self) -> dict[str, str]:
        """Return no setting: it is the default."""
        return {}

    def identities(self) -> list[Identity]:
        """Return what is stored."""
        return sorted((row["sensor_id"], row["event_time"]) for row in self._deployment.rows())


@pytest.fixture
def folder_plant(tmp_path: Path) -> Iterator[Plant]:
    """Run an app with everything in one folder, and a model."""
    with running_plant(tmp_path, Clock(), []) as plant:
        publish_model(plant)
        yield plant


def as_store(plant: Plant) -> Plant:
    """Let the file of scores be looked into like any other store."""
    store: Any = SqliteFile(plant.deployment)
    return Plant(plant.deployment, [store], plant.clock)


@contextmanager
def full_disk(n_bytes: int) -> Iterator[None]:
    """Let no file of this process grow beyond some bytes: the write that would fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def assert_nothing_half_written(folder: Path) -> None:
    """Expect that whatever is there can be read, and no more than that is there."""
    assert list(folder.rglob(".writing-*")) == []
    assert all(one.fault is None for one in DeadLetters(_container(folder, DEAD_LETTERS)).files())
    for path in folder.rglob("*.json"):
        assert path.read_bytes().endswith(b"}")


def _container(folder: Path, name: str) -> Any:
    return FolderStorage(folder).container(name)


@pytest.mark.parametrize("bad", [BAD, None], ids=["dead letters", "store and spill"])
@pytest.mark.parametrize("is_new", [True, False], ids=["new file", "file of before"])
@pytest.mark.parametrize("n_bytes", [0, 100])
def test_a_full_disk_holds_the_batch(
    folder_plant: Plant, *, n_bytes: int, is_new: bool, bad: bytes | None
) -> None:
    """One clear error; health says `unwritable`; with room the batch goes through."""
    plant = as_store(folder_plant)
    folder = plant.deployment.data_dir
    if not is_new:
        assert plant.deliver(batch(1_000, bad=None)).error is None
    with full_disk(n_bytes):
        fate = plant.deliver(batch(bad=bad))
        overall, parts = plant.health()
    assert_held(plant, fate, StorageUnavailableError, N_GOOD + (bad is not None))
    assert "File too large" in str(fate.error)
    assert fate.seconds < SLOW_S
    assert (overall, parts["storage"]["state"]) == ("degraded", "unwritable")
    assert parts["scoring"]["holding"] == 1
    assert_nothing_half_written(folder)
    assert plant.recover(batch(bad=bad)) == 0
    before = [] if is_new else good(1_000)
    assert_nothing_lost(plant, sorted(before + good()), [bad] if bad else [])


def test_a_disk_that_is_full_for_the_store_alone_spills(folder_plant: Plant) -> None:
    """Files that are small enough still have room: nothing is held then."""
    plant = as_store(folder_plant)
    with full_disk(30_000):
        fate = plant.deliver(batch())
    assert fate.error is None
    assert plant.n_spilled() == 1
    assert "the free space of DATA_DIR" in plant.health()[1]["sink:sqlite"]["remedy"]
    assert plant.recover(batch()) == 0
    assert_nothing_lost(plant, good())
