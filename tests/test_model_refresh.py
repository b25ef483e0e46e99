"""Tests of a model's replacement while batches flow: no batch fails, no result is of two models."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from scoring.app import build_app
from scoring.cache import ModelCache
from scoring.delivery import Delivery
from scoring.registry import Registry
from scoring.scored import Refused, ScoredBatch, Sink
from tests.deployments import Deployment, blob_settings, deployed, outlets
from tests.event_batches import body, event_batch
from tests.small_models import publish, publish_broken, small_model

REFRESH_S = 0.5
# Beyond the interval a version is fetched and loaded on a machine that is busy with other tests.
LOADING_S = 20.0
OLD, NEW = small_model(seed=0), small_model(seed=1)


class Watched:
    """A sink that remembers, for each batch it passes on, which version made it."""

    def __init__(self, inner: Sink) -> None:
        self.name = inner.name
        self.batches: list[ScoredBatch] = []
        self._inner = inner

    def wanted(self, batch: ScoredBatch) -> ScoredBatch:
        """Return all of it."""
        return batch

    def write(self, batches: Sequence[ScoredBatch]) -> Sequence[Refused]:
        """Remember, and write."""
        refused = self._inner.write(batches)
        self.batches += batches
        return refused

    def versions(self) -> list[str]:
        """Return the version of each batch, in order of writing."""
        return [batch.model_version for batch in self.batches]


@dataclass
class Flow:
    """Four partitions that deliver batches all the time."""

    delivery: Delivery
    hub: str
    errors: list[Exception] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Let batches flow."""
        self._threads += [threading.Thread(target=self._partition, args=(i,)) for i in range(4)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let the last batches end."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _partition(self, partition: int) -> None:
        first = partition * 1_000_000
        while not self._stop.is_set():
            bodies = [body(first + i, f"pump-{partition}") for i in range(20)]
            batch = event_batch(bodies, hub=self.hub, partition=str(partition), first=first)
            try:
                self.delivery.deliver(batch)
            except Exception as error:  # noqa: BLE001  # the test looks at every one
                self.errors.append(error)
            first += 20
            self._stop.wait(0.01)


def wait_until(condition: Callable[[], bool], what: str) -> float:
    """Poll until `condition` holds; return how long it took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < REFRESH_S + LOADING_S, f"waited in vain for {what}"
        time.sleep(0.01)
    return time.monotonic() - started


@pytest.fixture(params=["folder", "azurite"])
def deployment(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployment]:
    """Build an app with the old model, on each kind of storage."""
    store = {}
    if request.param == "azurite":
        store = blob_settings(request.getfixturevalue("azurite").connection_string)
    with deployed(tmp_path, MODEL_REFRESH_SECONDS=str(REFRESH_S), **store) as deployment:
        publish(deployment.models, OLD)
        yield deployment


@pytest.fixture
def watched(deployment: Deployment) -> Watched:
    """Watch the app's own sink."""
    return Watched(deployment.app.http.sinks[0])


@pytest.fixture
def flow(deployment: Deployment, watched: Watched) -> Iterator[Flow]:
    """Let batches flow, and wait until the old model has scored some."""
    delivery = replace(deployment.app.delivery, outlets=outlets(deployment, watched))
    flow = Flow(delivery, deployment.hub)
    flow.start()
    try:
        wait_until(lambda: len(watched.batches) >= 8, "the first batches")
        yield flow
    finally:
        flow.stop()


def test_a_new_version_is_used_while_batches_flow(
    deployment: Deployment, watched: Watched, flow: Flow
) -> None:
    """Within the interval and the time to load; no batch fails or waits for it to be told."""
    version = publish(deployment.models, NEW)
    wait_until(lambda: version in watched.versions()[-4:], "the new version")
    before = len(watched.batches)
    wait_until(lambda: len(watched.batches) >= before + 20, "more batches")
    flow.stop()
    assert flow.errors == []
    assert set(watched.versions()[before + 4 :]) == {version}
    assert deployment.letters() == []


def test_every_row_names_the_version_that_made_it(
    deployment: Deployment, watched: Watched, flow: Flow
) -> None:
    """Its score is that of this version on its features, and of no other: nothing is mixed."""
    version = publish(deployment.models, NEW)
    wait_until(lambda: version in watched.versions(), "the new version")
    flow.stop()
    registry = Registry(deployment.models)
    models = {v: registry.load("default", v) for v in (OLD.manifest.version, version)}
    assert set(watched.versions()) == models.keys()
    for batch in watched.batches:
        np.testing.assert_array_equal(batch.score, models[batch.model_version].score(batch.X))
    stored = {
        (row["sensor_id"], row["event_time"]): row["model_version"] for row in deployment.rows()
    }
    written = {
        (sensor, time_ns): batch.model_version
        for batch in watched.batches
        for sensor, time_ns in zip(batch.sensor_ids, batch.event_time_ns.tolist(), strict=True)
    }
    assert stored == written


def test_a_broken_version_changes_nothing_but_health(
    deployment: Deployment, watched: Watched, flow: Flow
) -> None:
    """The old one goes on; health names the refused one; a good one after it is used."""
    broken = publish_broken(deployment.models)
    health = deployment.app.http.health

    def refused() -> bool:
        part = health().document["parts"]["model:default"]
        return (part["state"], part.get("refused_version")) == ("refused", broken)

    wait_until(refused, "health to say so")
    assert health().document["status"] == "degraded"
    before = len(watched.batches)
    wait_until(lambda: len(watched.batches) >= before + 20, "more batches")
    assert set(watched.versions()) == {OLD.manifest.version}
    version = publish(deployment.models, NEW)
    wait_until(lambda: version in watched.versions(), "the good version")
    flow.stop()
    assert flow.errors == []


def test_a_new_version_is_used_by_the_end_of_the_interval(tmp_path: Path) -> None:
    """By a clock that is moved by hand: the batch after `MODEL_REFRESH_SECONDS` has it."""
    now = [1_000.0]
    with deployed(tmp_path) as deployment:
        publish(deployment.models, OLD)
        cache = ModelCache(
            Registry(deployment.models),
            ["default"],
            refresh_seconds=60,
            clock=lambda: now[0],
            background=lambda work: work(),
        )
        watched = Watched(deployment.app.http.sinks[0])
        delivery = replace(
            deployment.app.delivery, cache=cache, outlets=outlets(deployment, watched)
        )
        delivery.deliver(event_batch([body(1)], hub=deployment.hub))
        version = publish(deployment.models, NEW)
        for seconds in (1, 46, 14):
            now[0] += seconds
            delivery.deliver(event_batch([body(2)], hub=deployment.hub))
    assert watched.versions()[:3] == [OLD.manifest.version] * 3
    assert watched.versions()[3] == version


def test_another_process_finds_the_new_version_by_itself(deployment: Deployment) -> None:
    """The timer refreshes its own process alone; each one looks on its own data path."""
    other = build_app(deployment.app.settings)
    for app in (deployment.app, other):
        app.delivery.cache.snapshot()
    version = publish(deployment.models, NEW)
    deployment.app.reload_models()
    assert deployment.app.delivery.cache.latest().get("default").version == version
    assert other.delivery.cache.latest().get("default").version == OLD.manifest.version
    wait_until(lambda: other.delivery.cache.snapshot().get("default").version == version, "it")
