"""Tests of scoring.cache: a ready model stays in use, and a batch does not wait for the next."""

import threading
import time
from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from scoring.artifacts import LoadedModel, load_published
from scoring.cache import ModelCache, Snapshot
from scoring.errors import ArtifactRejectedError, ModelUnavailableError, StorageUnavailableError
from scoring.registry import Fetched, Registry
from scoring.storage import FolderStorage, NotRead
from tests.small_models import publish, publish_broken, small_model

ARTIFACT = small_model()
MODEL = load_published(ARTIFACT.data, ARTIFACT.manifest, trusted=frozenset(), feature_keys=None)
REFRESH = 60.0


class Clock:
    """Seconds moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class ByHand:
    """A background in which work waits until the test runs it."""

    def __init__(self) -> None:
        self.work: list[Callable[[], None]] = []

    def __call__(self, work: Callable[[], None]) -> None:
        """Take work."""
        self.work.append(work)

    def run(self) -> int:
        """Do all the work; returns how much it was."""
        done = len(self.work)
        while self.work:
            self.work.pop()()
        return done


@dataclass
class Shelf:
    """A source of models in memory, which counts and can fail.

    Parameters
    ----------
    versions : dict
        The current version of each model.
    failing : exception, optional
        Raised by `fetch`.
    unloadable : dict of str to exception
        Raised when that version is loaded.
    takes_s : float
        How long `fetch` takes, on `clock`.
    """

    versions: dict[str, str] = field(default_factory=dict)
    failing: Exception | None = None
    unloadable: dict[str, Exception] = field(default_factory=dict)
    fetches: int = 0
    takes_s: float = 0.0
    clock: Clock | None = None
    loads: list[str] = field(default_factory=list)

    def fetch(self, name: str, known_tag: str | None) -> Fetched | NotRead:
        """Look for a version; its tag is its name."""
        self.fetches += 1
        if self.clock is not None:
            self.clock.now += self.takes_s
        if self.failing is not None:
            raise self.failing
        if name not in self.versions:
            return NotRead.MISSING
        version = self.versions[name]
        if version == known_tag:
            return NotRead.UNCHANGED
        return Fetched(version, version, lambda: self._load(name, version))

    def _load(self, name: str, version: str) -> LoadedModel:
        self.loads.append(version)
        if version in self.unloadable:
            raise self.unloadable[version]
        return replace(MODEL, name=name, version=version)


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands still."""
    return Clock()


@pytest.fixture
def background() -> ByHand:
    """Return a background with nothing to do."""
    return ByHand()


@pytest.fixture
def shelf() -> Shelf:
    """Return a source with one version."""
    return Shelf({"default": "v1"})


@pytest.fixture
def cache(shelf: Shelf, clock: Clock, background: ByHand) -> ModelCache:
    """Return a cache that has not looked yet."""
    return ModelCache(shelf, ["default"], REFRESH, clock, background)


def version(snapshot: Snapshot) -> str:
    """Return the version in use."""
    return snapshot.get("default").version


def state(snapshot: Snapshot) -> str:
    """Return what the last check found."""
    return snapshot.states["default"].state


def test_the_first_batch_waits_for_its_model(cache: ModelCache, background: ByHand) -> None:
    """There is nothing to score with before it; nothing runs beside it."""
    assert version(cache.snapshot()) == "v1"
    assert background.work == []


def test_nothing_is_looked_for_within_the_interval(
    cache: ModelCache, shelf: Shelf, clock: Clock, background: ByHand
) -> None:
    """Batches share one snapshot."""
    first = cache.snapshot()
    clock.now += REFRESH * 0.79
    assert cache.snapshot() is first
    assert (shelf.fetches, background.work) == (1, [])


def test_a_new_version_is_used_after_the_interval_without_a_batch_waiting(
    cache: ModelCache, shelf: Shelf, clock: Clock, background: ByHand
) -> None:
    """The batch that finds the interval over goes on with the old one; the next has the new."""
    cache.snapshot()
    shelf.versions["default"] = "v2"
    clock.now += REFRESH + 0.001
    assert version(cache.snapshot()) == "v1"
    assert shelf.loads == ["v1"]
    assert background.run() == 1
    assert version(cache.snapshot()) == "v2"


def test_batches_start_one_refresh_at_a_time(
    cache: ModelCache, clock: Clock, background: ByHand
) -> None:
    """However many come while it runs."""
    cache.snapshot()
    clock.now += REFRESH * 2
    for _ in range(5):
        cache.snapshot()
    assert background.run() == 1


def test_an_unchanged_version_is_not_loaded_again(
    cache: ModelCache, shelf: Shelf, clock: Clock, background: ByHand
) -> None:
    """Under the known tag the source gives nothing, and the model stays the same object."""
    model = cache.snapshot().get("default")
    for _ in range(3):
        clock.now += REFRESH + 1
        cache.snapshot()
        background.run()
    assert (shelf.fetches, shelf.loads) == (4, ["v1"])
    assert cache.snapshot().get("default") is model


def test_a_process_that_slept_looks_before_its_batch(
    cache: ModelCache, shelf: Shelf, clock: Clock, background: ByHand
) -> None:
    """Not checked for five intervals: then the batch waits, once."""
    cache.snapshot()
    shelf.versions["default"] = "v2"
    clock.now += REFRESH * 5 + 1
    assert version(cache.snapshot()) == "v2"
    assert background.work == []


def test_up_to_five_intervals_a_batch_does_not_wait(
    cache: ModelCache, shelf: Shelf, clock: Clock
) -> None:
    """The old version is young enough."""
    cache.snapshot()
    shelf.versions["default"] = "v2"
    clock.now += REFRESH * 5
    assert version(cache.snapshot()) == "v1"


def test_without_a_model_the_batch_is_kept(cache: ModelCache, shelf: Shelf) -> None:
    """The caller raises, and the retry policy brings the batch again."""
    shelf.versions.clear()
    snapshot = cache.snapshot()
    with pytest.raises(
        ModelUnavailableError, match="not ready: there is no version in storage; publ"
    ):
        snapshot.get("default")
    assert state(snapshot) == "missing"
    with pytest.raises(ModelUnavailableError, match="other"):
        snapshot.get("other")


def test_a_missing_model_is_looked_for_again_soon(
    cache: ModelCache, shelf: Shelf, clock: Clock
) -> None:
    """After a second and not after the interval: batches are being held."""
    shelf.versions.clear()
    cache.snapshot()
    shelf.versions["default"] = "v1"
    clock.now += 0.9
    assert "default" not in cache.snapshot().models
    clock.now += 0.2
    assert version(cache.snapshot()) == "v1"


FAULTS: dict[str, tuple[Exception, str]] = {
    "refused": (ArtifactRejectedError("default/v2", "holds os.system", "fit it again"), "refused"),
    "unreachable": (StorageUnavailableError("models", "m", "timed out"), "unreachable"),
    "a crash": (RuntimeError("boom"), "refused"),
    "too deep": (RecursionError("deep"), "refused"),
    "no memory": (MemoryError(), "refused"),
}


@pytest.mark.parametrize(("fault", "expected"), FAULTS.values(), ids=FAULTS)
def test_a_version_that_does_not_load_leaves_the_old_one_in_use(
    cache: ModelCache, shelf: Shelf, clock: Clock, fault: Exception, expected: str
) -> None:
    """No batch fails; the state tells which version it is and why."""
    cache.snapshot()
    shelf.versions["default"] = "v2"
    shelf.unloadable["v2"] = fault
    clock.now += REFRESH * 6
    snapshot = cache.snapshot()
    assert version(snapshot) == "v1"
    assert state(snapshot) == expected
    found = snapshot.states["default"]
    assert found.found_version == "v2"
    assert found.problem is not None
    assert found.loaded_at == 1_000.0


def looked_at_again(cache: ModelCache, clock: Clock, seconds: float) -> Snapshot:
    """Let time pass, and look."""
    clock.now += seconds
    return cache.refresh()


@pytest.mark.parametrize(("fault", "expected"), FAULTS.values(), ids=FAULTS)
def test_a_source_that_fails_and_heals(
    cache: ModelCache, shelf: Shelf, clock: Clock, fault: Exception, expected: str
) -> None:
    """The model goes on meanwhile; the next version is found as soon as it is well."""
    cache.snapshot()
    shelf.failing = fault
    snapshot = looked_at_again(cache, clock, REFRESH)
    assert (version(snapshot), state(snapshot)) == ("v1", expected)
    shelf.failing = None
    shelf.versions["default"] = "v2"
    snapshot = looked_at_again(cache, clock, REFRESH)
    assert (version(snapshot), state(snapshot)) == ("v2", "ready")


def test_a_store_that_was_unreachable_is_ready_again_without_a_new_version(
    cache: ModelCache, shelf: Shelf, clock: Clock
) -> None:
    """Nothing stays red because nothing changed."""
    cache.snapshot()
    shelf.failing = StorageUnavailableError("models", "m", "timed out")
    assert state(looked_at_again(cache, clock, REFRESH)) == "unreachable"
    shelf.failing = None
    assert state(looked_at_again(cache, clock, REFRESH)) == "ready"


def test_a_storage_that_is_silent_is_asked_once_a_look_however_many_models_there_are(
    shelf: Shelf, clock: Clock
) -> None:
    """A batch that waits for the look would wait for each of them; ready ones stay in use."""
    names = ["a", "b", "c"]
    shelf.versions |= dict.fromkeys(names, "v1")
    shelf.clock = clock
    cache = ModelCache(shelf, names, REFRESH, clock)
    cache.refresh()
    shelf.failing, shelf.takes_s = StorageUnavailableError("models", "m", "timed out"), 48.0
    shelf.fetches, began = 0, clock.now
    found = looked_at_again(cache, clock, REFRESH)
    assert (shelf.fetches, clock.now - began) == (1, REFRESH + 48.0)
    assert {one.state for one in found.states.values()} == {"unreachable"}
    assert found.models.keys() == set(names)
    shelf.failing, shelf.takes_s = None, 0.0
    found = looked_at_again(cache, clock, REFRESH)
    assert {one.state for one in found.states.values()} == {"ready"}


def test_a_storage_that_fails_quickly_is_asked_for_each_model(shelf: Shelf, clock: Clock) -> None:
    """It may be the one file alone."""
    cache = ModelCache(shelf, ["a", "b"], REFRESH, clock)
    shelf.failing = StorageUnavailableError("models", "m", "denied")
    cache.refresh()
    assert shelf.fetches == 2


def test_a_version_that_was_away_is_ready_again(
    cache: ModelCache, shelf: Shelf, clock: Clock
) -> None:
    """A file that was moved away and back has its old tag."""
    cache.snapshot()
    del shelf.versions["default"]
    snapshot = looked_at_again(cache, clock, REFRESH)
    assert (version(snapshot), state(snapshot)) == ("v1", "missing")
    shelf.versions["default"] = "v1"
    assert state(looked_at_again(cache, clock, REFRESH)) == "ready"


def test_a_refused_version_is_not_read_again_at_once(
    cache: ModelCache, shelf: Shelf, clock: Clock
) -> None:
    """It stays refused under its tag; after ten intervals its files may have been mended."""
    shelf.unloadable["v1"] = ArtifactRejectedError("default/v1", "is damaged", "publish it again")
    cache.refresh()
    for _ in range(10):
        assert state(looked_at_again(cache, clock, REFRESH)) == "refused"
    assert shelf.loads == ["v1"]
    shelf.unloadable.clear()
    assert state(looked_at_again(cache, clock, REFRESH)) == "ready"
    assert shelf.loads == ["v1", "v1"]


def test_a_version_after_a_refused_one_is_loaded_at_once(
    cache: ModelCache, shelf: Shelf, clock: Clock
) -> None:
    """Going back to the good one too."""
    cache.snapshot()
    shelf.unloadable["v2"] = ArtifactRejectedError("default/v2", "is damaged", "publish it again")
    shelf.versions["default"] = "v2"
    assert state(looked_at_again(cache, clock, REFRESH)) == "refused"
    shelf.versions["default"] = "v1"
    snapshot = looked_at_again(cache, clock, REFRESH)
    assert (version(snapshot), state(snapshot)) == ("v1", "ready")


def test_models_fail_one_by_one(shelf: Shelf, clock: Clock) -> None:
    """A bad version of one model does not keep another from its new one."""
    shelf.versions = {"a": "a1", "b": "b1"}
    cache = ModelCache(shelf, ["a", "b"], REFRESH, clock)
    cache.snapshot()
    shelf.versions = {"a": "a2", "b": "b2"}
    shelf.unloadable["a2"] = RuntimeError("boom")
    snapshot = looked_at_again(cache, clock, REFRESH)
    assert {name: model.version for name, model in snapshot.models.items()} == {
        "a": "a1",
        "b": "b2",
    }


def test_a_snapshot_never_changes(cache: ModelCache, shelf: Shelf, clock: Clock) -> None:
    """A batch that took one never mixes two versions."""
    taken: Any = cache.snapshot()
    shelf.versions["default"] = "v2"
    assert version(looked_at_again(cache, clock, REFRESH)) == "v2"
    assert version(taken) == "v1"
    with pytest.raises(TypeError):
        taken.models["default"] = MODEL
    with pytest.raises(FrozenInstanceError):
        taken.models = {}


def test_a_check_that_is_young_enough_is_not_repeated(
    cache: ModelCache, shelf: Shelf, clock: Clock
) -> None:
    """Health asks for a refresh as often as anyone calls it."""
    cache.refresh()
    clock.now += 1
    cache.refresh(at_most_every=2)
    assert shelf.fetches == 1
    clock.now += 2
    cache.refresh(at_most_every=2)
    assert shelf.fetches == 2


def test_what_was_found_last_is_told_without_looking(cache: ModelCache, shelf: Shelf) -> None:
    """Nothing is known before the first look."""
    assert (cache.latest().models, shelf.fetches) == ({}, 0)
    snapshot = cache.refresh()
    assert cache.latest() is snapshot


def test_a_refresh_that_cannot_start_costs_no_batch(shelf: Shelf, clock: Clock) -> None:
    """Where no thread is to be had, the next batch tries again."""

    def no_thread(_work: Callable[[], None]) -> None:
        raise RuntimeError("can't start new thread")

    cache = ModelCache(shelf, ["default"], REFRESH, clock, no_thread)
    cache.snapshot()
    shelf.versions["default"] = "v2"
    clock.now += REFRESH * 2
    for _ in range(2):
        assert version(cache.snapshot()) == "v1"
    clock.now += REFRESH * 5
    assert version(cache.snapshot()) == "v2"


class SlowShelf(Shelf):
    """A source that answers when the test lets it."""

    def __init__(self) -> None:
        super().__init__({"default": "v1"})
        self.open = threading.Event()

    def fetch(self, name: str, known_tag: str | None) -> Fetched | NotRead:
        """Wait, then look."""
        self.open.wait(10)
        return super().fetch(name, known_tag)


def test_batches_that_wait_together_look_once() -> None:
    """Ten functions start at once on a fresh process: one refresh serves them all."""
    shelf, asked = SlowShelf(), threading.Semaphore(0)

    def clock() -> float:
        asked.release()
        return 1_000.0

    cache = ModelCache(shelf, ["default"], REFRESH, clock)
    found: list[Snapshot] = []
    threads = [threading.Thread(target=lambda: found.append(cache.snapshot())) for _ in range(10)]
    for thread in threads:
        thread.start()
    for _ in range(20):  # each asks for the time twice before it looks or waits
        assert asked.acquire(timeout=10)
    shelf.open.set()
    for thread in threads:
        thread.join()
    assert (shelf.fetches, shelf.loads) == (1, ["v1"])
    assert all(snapshot is found[0] for snapshot in found)


def wait_until(condition: Callable[[], bool]) -> None:
    """Poll, with a deadline."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_real_thread_refreshes_from_a_real_registry(tmp_path: Path) -> None:
    """A new version is used within the interval; a broken one is told and changes nothing."""
    container = FolderStorage(tmp_path).container("models")
    first = publish(container, small_model(seed=1))
    cache = ModelCache(Registry(container), ["default"], 0.05, time.monotonic)
    assert version(cache.snapshot()) == first
    second = publish(container, small_model(seed=2))
    wait_until(lambda: version(cache.snapshot()) == second)
    broken = publish_broken(container)
    wait_until(lambda: state(cache.snapshot()) == "refused")
    assert version(cache.snapshot()) == second
    assert cache.latest().states["default"].found_version == broken


def test_verifying_loads_what_has_not_changed(cache: ModelCache, shelf: Shelf) -> None:
    """A file that went missing behind an unchanged pointer is found; the model goes on."""
    version = cache.snapshot().get("default").version
    fault = ArtifactRejectedError("default/1", "model.joblib is missing", "publish it again")
    shelf.unloadable[version] = fault
    assert state(cache.refresh()) == "ready"
    snapshot = cache.verify()
    assert state(snapshot) == "refused"
    assert snapshot.get("default").version == version


def test_checks_of_many_processes_spread_out() -> None:
    """None comes later than told, and they do not arrive together."""
    shelf, clock = Shelf(), Clock()
    due = [ModelCache(shelf, ["default"], 60.0, clock)._due_after for _ in range(50)]
    assert all(48.0 <= seconds <= 60.0 for seconds in due)
    assert len(set(due)) > 40
