"""Blob Storage that takes connections and never answers, in the whole delivery.

A row of docs/faults.md. Blob Storage is a real Azurite behind a proxy that falls silent.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scoring import shared_looks
from scoring.errors import StorageUnavailableError
from scoring.storage.blob import _TIMEOUTS
from tests.at_once import at_once
from tests.blob_plants import Blob, blob_plant
from tests.cut_off import CutOffProxy
from tests.event_batches import body
from tests.faulty_plants import (
    BAD,
    N_GOOD,
    SLOW_S,
    Plant,
    assert_held,
    assert_nothing_lost,
    batch,
    good,
    publish_model,
)
from tests.faulty_stores import Fronts, InfluxStore
from tests.waiting import wait_until

pytest_plugins = ["tests.blob_fixtures"]

# What docs/faults.md promises for one call, for the status record, and for health.
LONGEST_CALL_S = 60
STATUS_S = 1
HEALTH_S = 8
HEALTH_AGAIN_S = 2
# Beyond that: it is waited, not worked.
LITTLE_S = 4
FAILED_FOR_S = shared_looks.FAILED_FOR_S


@pytest.fixture
def short_silence(monkeypatch: pytest.MonkeyPatch, without_pauses: None) -> None:
    """Let the client take a storage for silent after a second; a test shows how long it waits."""
    monkeypatch.setitem(_TIMEOUTS, "read_timeout", 1)


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
        status = plant.deployment.app.delivery.status
        wait_until(lambda: not status.can_write(), "the record to be more than slow")
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


def test_health_tells_of_a_silent_blob_storage_soon_and_holds_nobody_up(
    tmp_path: Path, blob: Blob, influx: InfluxStore, up: Fronts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many ask; whoever asks again meanwhile is told at once; `ok` when it is back."""
    up.start(influx)
    with silent_blob(tmp_path, blob, influx) as (plant, proxy):
        monkeypatch.setattr(shared_looks, "FAILED_FOR_S", FAILED_FOR_S)
        asked, others = [Asked(plant) for _ in range(8)], Others(plant)
        at_once([*asked, others.deliver, others.score])
        again = Asked(plant)
        again()
        assert {one.states for one in [*asked, again]} == {
            ("degraded", "unreachable", "unreachable")
        }
        assert max(one.seconds for one in asked) < HEALTH_S + LITTLE_S
        assert again.seconds < HEALTH_AGAIN_S
        assert max(others.seconds) < HEALTH_S
        proxy.restore()
        wait_until(lambda: plant.health()[0] == "ok", "health to say so")


def test_health_of_a_process_that_never_had_a_model_tells_of_a_silent_blob_storage(
    tmp_path: Path, blob: Blob, influx: InfluxStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503: models are told of that nobody could look for."""
    monkeypatch.setattr(shared_looks, "PATIENCE_S", 0.5)
    blob.start()
    with (
        CutOffProxy(blob.ports.blob).running() as proxy,
        blob_plant(tmp_path, blob, influx, port=proxy.port) as plant,
    ):
        proxy.fall_silent()
        overall, parts = plant.health()
        assert (overall, parts["storage"]["state"]) == ("unavailable", "unreachable")
        assert (parts["model:default"]["state"], parts["model:default"]["found"]) == (
            "unavailable",
            "unreachable",
        )


class Asked:
    """A question for health, and what came of it."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self.seconds = 0.0
        self.states: tuple[str, ...] = ()

    def __call__(self) -> None:
        """Ask."""
        began = time.monotonic()
        overall, parts = self._plant.health()
        self.seconds = time.monotonic() - began
        self.states = overall, parts["storage"]["state"], parts["model:default"]["state"]


class Others:
    """What goes on beside health, and how long each took."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self.seconds: list[float] = []

    def deliver(self) -> None:
        """Deliver batches one by one."""
        for first in range(0, 5_000, 1_000):
            fate = self._plant.deliver(batch(first, bad=None), settles=False)
            assert fate.error is None
            self.seconds.append(fate.seconds)

    def score(self) -> None:
        """Score requests one by one."""
        for number in range(5):
            began = time.monotonic()
            assert self._plant.deployment.app.http.score(body(number), {}).status == 200
            self.seconds.append(time.monotonic() - began)
