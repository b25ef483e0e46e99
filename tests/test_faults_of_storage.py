"""Storage that is full or away, in the whole delivery: batches are held, or go on without it.

Rows of docs/faults.md. Blob Storage is a real Azurite that is stopped and started again on its
data. A full disk is the operating system's limit on the size of files: a write beyond it fails
in the middle, as it does for want of space.
"""

import resource
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.azurite import Ports, connection_string, running_azurite
from scoring.dead_letters import CONTAINER as DEAD_LETTERS
from scoring.dead_letters import DeadLetters
from scoring.errors import ModelUnavailableError, StorageUnavailableError
from scoring.storage import FolderStorage
from scoring.storage.blob import _TIMEOUTS
from tests.cut_off import CutOffProxy
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
from tests.faulty_stores import Fronts, Identity, InfluxStore, free_port, fronts

if TYPE_CHECKING:
    from tests.deployments import Deployment

N_EVENTS = N_GOOD + 1
# What docs/faults.md promises for one batch while connections to Blob Storage are refused.
LONGEST_S = 20
# What it promises for one call where Blob Storage is silent, and for the status record.
LONGEST_CALL_S = 60
STATUS_S = 1


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


class Blob:
    """An Azurite that is stopped and started on the same ports and data."""

    def __init__(self, folder: Path) -> None:
        self.ports = Ports(free_port(), free_port(), free_port())
        self._folder = folder
        self._running = ExitStack()

    def start(self) -> None:
        """Run it; what was stored before is there."""
        self._running.enter_context(running_azurite(self._folder, self.ports))

    def stop(self) -> None:
        """End it: connections are refused."""
        self._running.close()


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
def up() -> Iterator[Fronts]:
    """Stop at the end whatever listens."""
    with fronts() as found:
        yield found


@pytest.fixture
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the client try again at once; one test below shows how long its pauses are."""
    for name in ("initial_backoff", "increment_base", "random_jitter_range"):
        monkeypatch.setitem(_TIMEOUTS, name, 0)


@pytest.fixture
def short_silence(monkeypatch: pytest.MonkeyPatch, without_pauses: None) -> None:
    """Let the client take a storage for silent after a second; a test shows how long it waits."""
    monkeypatch.setitem(_TIMEOUTS, "read_timeout", 1)


@contextmanager
def blob_plant(
    folder: Path, blob: Blob, influx: InfluxStore, *, port: int = 0, refresh_s: float = 1
) -> Iterator[Plant]:
    """Run an app on Blob Storage, that looks for models as often as a test needs."""
    ports = replace(blob.ports, blob=port) if port else blob.ports
    environ = {
        "STORAGE_CONNECTION_STRING": connection_string(ports),
        "MODEL_REFRESH_SECONDS": str(refresh_s),
    }
    with running_plant(folder / "data", Clock(), [influx], **environ) as plant:
        yield plant


def test_blob_storage_that_is_down_at_the_start_holds_batches_until_it_answers(
    tmp_path: Path, blob: Blob, influx: InfluxStore, up: Fronts
) -> None:
    """No model yet: 503. The same process goes on by itself, without a restart."""
    up.start(influx)
    blob.start()
    with blob_plant(tmp_path, blob, influx) as first:
        publish_model(first)
    blob.stop()
    with blob_plant(tmp_path, blob, influx) as plant:
        fate = plant.deliver(batch())
        assert_held(plant, fate, ModelUnavailableError, N_EVENTS)
        assert fate.seconds < LONGEST_S
        overall, parts = plant.health()
        assert (overall, parts["storage"]["state"]) == ("unavailable", "unreachable")
        assert parts["model:default"]["found"] == "unreachable"
        blob.start()
        assert plant.deliver(batch()).error is None
        assert_nothing_lost(plant, good())


@pytest.mark.usefixtures("without_pauses")
def test_blob_storage_that_is_down_during_a_refresh_leaves_the_model_in_use(
    tmp_path: Path, blob: Blob, influx: InfluxStore, up: Fronts
) -> None:
    """Scores go on; only a batch with something to keep there is held."""
    up.start(influx)
    blob.start()
    with blob_plant(tmp_path, blob, influx) as plant:
        publish_model(plant)
        assert plant.deliver(batch(500, bad=None)).error is None
        blob.stop()
        scored = plant.deliver(batch(1_000, bad=None))
        assert scored.at(influx).written == N_GOOD
        overall, parts = plant.health()
        assert (overall, parts["storage"]["state"]) == ("degraded", "unreachable")
        assert parts["model:default"]["state"] == "unreachable"
        assert parts["model:default"]["version"]
        held = plant.deliver(batch())
        assert_held(plant, held, StorageUnavailableError, N_EVENTS)
        blob.start()
        assert plant.deliver(batch()).error is None
        assert_nothing_lost(plant, sorted(good() + good(500) + good(1_000)))


@pytest.mark.usefixtures("without_pauses")
def test_blob_storage_that_is_down_when_a_store_is_holds_the_batch(
    tmp_path: Path, blob: Blob, influx: InfluxStore, up: Fronts
) -> None:
    """Nothing to put it into: it comes again, also when only the spill is back."""
    blob.start()
    with blob_plant(tmp_path, blob, influx) as plant:
        publish_model(plant)
        plant.deployment.app.delivery.cache.refresh()
        blob.stop()
        fate = plant.deliver(batch(bad=None))
        assert_held(plant, fate, StorageUnavailableError, N_GOOD)
        assert "spill/" in str(fate.error)
        assert plant.health()[1]["storage"]["state"] == "unreachable"
        blob.start()
        assert plant.deliver(batch(bad=None)).at(influx).spilled == N_GOOD
        up.start(influx)
        assert plant.drain() == 0
        assert plant.recover(batch(bad=None)) == 0
        assert_nothing_lost(plant, good(), [])


@contextmanager
def silent_blob(
    folder: Path, blob: Blob, influx: InfluxStore
) -> Iterator[tuple[Plant, CutOffProxy]]:
    """Run an app with a model, whose Blob Storage has just fallen silent."""
    blob.start()
    with (
        CutOffProxy(blob.ports.blob).running() as proxy,
        blob_plant(folder, blob, influx, port=proxy.port, refresh_s=3_600) as plant,
    ):
        publish_model(plant)
        plant.deployment.app.delivery.cache.refresh()
        proxy.fall_silent()
        try:
            yield plant, proxy
        finally:
            proxy.restore()


def test_a_silent_blob_storage_stalls_no_batch_that_needs_nothing_of_it(
    tmp_path: Path, blob: Blob, influx: InfluxStore, up: Fronts
) -> None:
    """The status record is written when it answers again, and is the newest one then."""
    up.start(influx)
    with silent_blob(tmp_path, blob, influx) as (plant, proxy):
        for first in (0, 1_000, 2_000):
            fate = plant.deliver(batch(first, bad=None), settles=False)
            assert fate.at(influx).written == N_GOOD
            assert fate.seconds < STATUS_S + SLOW_S
        assert not plant.deployment.app.delivery.status.can_write()
        proxy.restore()
        assert plant.deployment.app.delivery.status.settle(60)
        _, parts = plant.health()
        assert (parts["storage"]["state"], parts["scoring"]["counts"]["scored"]) == (
            "ok",
            3 * N_GOOD,
        )
        assert_nothing_lost(plant, sorted(good() + good(1_000) + good(2_000)), [])


@pytest.mark.usefixtures("short_silence")
@pytest.mark.parametrize("bad", [BAD, None], ids=["dead letters", "spill"])
def test_a_silent_blob_storage_holds_a_batch_that_needs_it(
    tmp_path: Path, blob: Blob, influx: InfluxStore, up: Fronts, bad: bytes | None
) -> None:
    """A dead letter, or a store that is down: the batch comes again, and is stored then."""
    if bad is not None:
        up.start(influx)
    with silent_blob(tmp_path, blob, influx) as (plant, proxy):
        fate = plant.deliver(batch(bad=bad), settles=False)
        assert_held(plant, fate, StorageUnavailableError, N_GOOD + (bad is not None))
        assert fate.seconds < STATUS_S + SLOW_S
        proxy.restore()
        if bad is None:
            up.start(influx)
        assert plant.recover(batch(bad=bad)) == 0
        assert_nothing_lost(plant, good(), [bad] if bad else [])


def test_a_call_to_a_silent_blob_storage_is_given_up_within_a_minute() -> None:
    """Every try, and the longest pause before each but the first."""
    retries, growth = _TIMEOUTS["retry_total"], _TIMEOUTS["increment_base"]
    pauses = [_TIMEOUTS["initial_backoff"] + growth**n for n in range(retries)]
    tries = (retries + 1) * _TIMEOUTS["read_timeout"]
    assert tries + sum(pauses) + retries * _TIMEOUTS["random_jitter_range"] < LONGEST_CALL_S
