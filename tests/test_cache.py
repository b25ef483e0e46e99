"""Tests of scoring.cache: a ready model stays in use, a batch does not wait for the next."""

import threading
import time
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest

from scoring.cache import ModelCache, Snapshot
from scoring.errors import ModelUnavailableError
from scoring.registry import Fetched, Registry
from scoring.storage import FolderStorage, NotRead
from tests.moved_time import Clock
from tests.shelves import MODEL, REFRESH, ByHand, Shelf, looked_at_again, state, version
from tests.small_models import publish, publish_broken, small_model
from tests.waiting import wait_until

pytest_plugins = ["tests.cache_fixtures"]


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


def test_a_real_thread_refreshes_from_a_real_registry(tmp_path: Path) -> None:
    """A new version is used within the interval; a broken one is told and changes nothing."""
    container = FolderStorage(tmp_path).container("models")
    first = publish(container, small_model(seed=1))
    cache = ModelCache(Registry(container), ["default"], 0.05, time.monotonic)
    assert version(cache.snapshot()) == first
    second = publish(container, small_model(seed=2))
    wait_until(lambda: version(cache.snapshot()) == second, "the second version")
    broken = publish_broken(container)
    wait_until(lambda: state(cache.snapshot()) == "refused", "the refusal")
    assert version(cache.snapshot()) == second
    assert cache.latest().states["default"].found_version == broken


def test_checks_of_many_processes_spread_out() -> None:
    """None comes later than told, and they do not arrive together."""
    shelf, clock = Shelf(), Clock()
    due = [ModelCache(shelf, ["default"], 60.0, clock)._due_after for _ in range(50)]
    assert all(48.0 <= seconds <= 60.0 for seconds in due)
    assert len(set(due)) > 40
