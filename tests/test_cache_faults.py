"""Tests of scoring.cache: what cannot be had leaves the model before it in use."""

import pytest

from scoring.cache import ModelCache
from scoring.errors import ArtifactRejectedError, StorageUnavailableError
from tests.moved_time import Clock
from tests.shelves import REFRESH, Shelf, looked_at_again, state, version

pytest_plugins = ["tests.cache_fixtures"]


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


def test_verifying_loads_what_has_not_changed(cache: ModelCache, shelf: Shelf) -> None:
    """A file that went missing behind an unchanged pointer is found; the model goes on."""
    version = cache.snapshot().get("default").version
    fault = ArtifactRejectedError("default/1", "model.joblib is missing", "publish it again")
    shelf.unloadable[version] = fault
    assert state(cache.refresh()) == "ready"
    snapshot = cache.verify()
    assert state(snapshot) == "refused"
    assert snapshot.get("default").version == version
