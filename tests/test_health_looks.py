"""Tests of scoring.health: what takes long hides nothing else, and holds nobody up."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from unittest.mock import Mock

import pytest

from scoring import shared_looks
from scoring.errors import StorageUnavailableError
from scoring.registry import CURRENT
from scoring.spill import Spill
from scoring.spill_depth import SpillDepth
from scoring.storage.folder import FolderContainer
from tests.at_once import at_once
from tests.deployments import Deployment, health
from tests.event_batches import body, event_batch
from tests.small_models import publish, small_model
from tests.telemetry_doubles import wait_until

pytest_plugins = ["tests.health_fixtures"]
# Beyond what is waited for on purpose; a machine that is busy with other tests is slow.
SLOW_S = 10.0
NAMES = ("default", "kiln")


@pytest.fixture
def listing(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Let the spill be so large that its listing lasts until the event."""
    released = threading.Event()

    def depth(_: Spill) -> SpillDepth:
        assert released.wait(60)
        return SpillDepth(3, 2_000_000, datetime.now(UTC))

    monkeypatch.setattr(Spill, "depth", depth)
    yield released
    released.set()


def test_a_spill_that_is_listed_for_long_hides_nothing_else(
    with_models: Deployment, listing: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records and dead letters are told, storage is reachable; the spill does not seem empty."""
    with_models.app.delivery.deliver(event_batch([body(1), b"x"], hub=with_models.hub))
    monkeypatch.setattr(shared_looks, "PATIENCE_S", 2.0)
    status, overall, parts = health(with_models)
    assert (status, overall, parts["storage"]["state"]) == (200, "degraded", "ok")
    assert parts["spill"] == {"state": "unknown"}
    assert (parts["scoring"]["processes"], parts["dead_letters"]["files"]) == (1, 1)
    assert parts["model:default"]["state"] == "ok"
    assert not listing.is_set()


def test_a_spill_is_told_once_its_listing_has_ended(
    with_models: Deployment, listing: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long nobody asked meanwhile."""
    monkeypatch.setattr(shared_looks, "PATIENCE_S", 0.2)
    assert health(with_models)[2]["spill"] == {"state": "unknown"}
    listing.set()
    wait_until(lambda: health(with_models)[2]["spill"]["state"] == "degraded", "the count")
    assert health(with_models)[2]["spill"]["batches"] == 3


def test_while_a_spill_is_listed_again_the_count_before_is_told(
    with_models: Deployment, listing: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits long for a newer one."""
    with monkeypatch.context() as patch:
        patch.setattr(Spill, "depth", lambda _: SpillDepth(7, 1_000_000, None))
        health(with_models)
    monkeypatch.setattr(shared_looks, "PATIENCE_S", 60.0)
    began = time.monotonic()
    part = health(with_models)[2]["spill"]
    assert time.monotonic() - began < 2.0 + SLOW_S
    assert (part, listing.is_set()) == (
        {"state": "degraded", "batches": 7, "megabytes": 1.0},
        False,
    )


def test_a_count_of_long_ago_is_not_told(
    with_models: Deployment, listing: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody asked for hours, much may wait by now."""
    with monkeypatch.context() as patch:
        patch.setattr(Spill, "depth", lambda _: SpillDepth(0, 0, None))
        assert health(with_models)[2]["spill"]["state"] == "ok"
    monkeypatch.setattr("scoring.health._COUNT_TOLD_FOR_S", 0.0)
    monkeypatch.setattr(shared_looks, "PATIENCE_S", 1.0)
    assert health(with_models)[2]["spill"] == {"state": "unknown"}
    assert not listing.is_set()


def test_a_spill_that_cannot_be_listed_is_a_storage_out_of_reach(
    with_models: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was found before is told all the same."""
    with_models.app.delivery.deliver(event_batch([body(1), b"x"], hub=with_models.hub))
    away = Mock(side_effect=StorageUnavailableError("spill", "", "away"))
    monkeypatch.setattr(Spill, "depth", away)
    _, overall, parts = health(with_models)
    assert (overall, parts["storage"]["state"]) == ("degraded", "unreachable")
    assert parts["spill"] == {"state": "unknown"}
    assert (parts["scoring"]["processes"], parts["dead_letters"]["files"]) == (1, 1)


def test_a_model_that_loads_for_long_does_not_seem_out_of_reach(
    with_models: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Storage answers; the models are told as they are, and whoever asks does not wait."""
    health(with_models)
    monkeypatch.setattr(shared_looks, "PATIENCE_S", 1.0)
    with with_models.app.delivery.cache._refreshing:
        status, overall, parts = health(with_models)
    assert (status, overall, parts["model:default"]["state"]) == (200, "ok", "ok")


def test_a_first_model_that_loads_for_long_is_told_to_be_loading(
    with_models: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is none to score with yet, so the system is unavailable; but storage answered."""
    monkeypatch.setattr(shared_looks, "PATIENCE_S", 1.0)
    with with_models.app.delivery.cache._refreshing:
        status, _, parts = health(with_models)
    assert (status, parts["storage"]["state"]) == (503, "ok")
    assert {parts[f"model:{name}"]["found"] for name in NAMES} == {"loading"}


def test_a_first_model_is_loading_too_where_storage_is_back(
    with_models: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the look before found does not count once storage answers."""
    away = Mock(side_effect=StorageUnavailableError("models", "x", "away"))
    with monkeypatch.context() as patch:
        patch.setattr(FolderContainer, "get", away)
        with_models.app.delivery.cache.refresh()
    monkeypatch.setattr(shared_looks, "PATIENCE_S", 1.0)
    with with_models.app.delivery.cache._refreshing:
        parts = health(with_models)[2]
    assert {parts[f"model:{name}"]["found"] for name in NAMES} == {"loading"}


def test_a_first_version_that_is_refused_is_not_loading(
    without_models: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is known to be bad, whatever is looked for."""
    publish(without_models.models, small_model())
    without_models.models.put(f"kiln/{CURRENT}", b"no JSON")
    health(without_models)
    monkeypatch.setattr(shared_looks, "PATIENCE_S", 1.0)
    with without_models.app.delivery.cache._refreshing:
        assert health(without_models)[2]["model:kiln"]["found"] == "refused"


def test_health_asks_storage_once_for_all_who_ask_at_once(
    with_models: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it fails slowly: nobody waits for the failure of another, nor repeats it."""
    for name in ("GOOD_FOR_S", "FAILED_FOR_S"):
        monkeypatch.setattr(shared_looks, name, 3_600.0)
    listed = []

    def away(container: FolderContainer, *_: object) -> None:
        listed.append(container.name)
        time.sleep(0.2)
        raise StorageUnavailableError(container.name, "x", "away")

    monkeypatch.setattr(FolderContainer, "list", away)
    at_once([lambda: health(with_models)] * 8)
    assert listed == ["status"]


def test_nobody_waits_for_models_while_storage_is_known_to_be_silent(
    with_models: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One silent call spares the others, whose patience would only begin."""
    released = threading.Event()
    monkeypatch.setattr(FolderContainer, "list", lambda *_: iter([released.wait(60)][:0]))
    monkeypatch.setattr(shared_looks, "PATIENCE_S", 0.2)
    assert health(with_models)[2]["storage"]["state"] == "unreachable"
    monkeypatch.setattr(shared_looks, "PATIENCE_S", 60.0)
    with with_models.app.delivery.cache._refreshing:
        began = time.monotonic()
        assert health(with_models)[2]["model:default"]["state"] == "unreachable"
        assert time.monotonic() - began < SLOW_S
    released.set()
