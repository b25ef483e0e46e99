"""A whole app between an event hub and stores that fail, and what must hold then."""

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scoring import shared_looks
from scoring.errors import ScoringError
from scoring.event_batch import EventBatch
from scoring.ledger import BatchCounts, StoreCounts
from scoring.spill import CONTAINER as SPILL
from scoring.storage import open_storage
from tests.deployments import Deployment, deployed
from tests.event_batches import body, event_batch, reading
from tests.faulty_stores import FaultyStore, Identity
from tests.small_models import publish, small_model

N_SENSORS = 5
N_GOOD = 60
BAD = b"not JSON"
# Beyond what is waited for on purpose; a machine that is busy with other tests is slow.
SLOW_S = 10.0
_TELLS_TOO_MUCH = re.compile(
    r"127\.0\.0\.1|localhost|https?:|Error\b|Traceback|secret|c2VjcmV0|AccountKey"
)


class Clock:
    """The machine's clock, moved by hand."""

    def __init__(self) -> None:
        self.off = timedelta(0)

    def __call__(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC) + self.off

    def move(self, **by: float) -> None:
        """Set it ahead or back."""
        self.off += timedelta(**by)


def good(first: int = 0, n: int = N_GOOD) -> list[Identity]:
    """Return the identities of the readings in `batch`."""
    found = []
    for number in range(first, first + n):
        sensor = f"pump-{number % N_SENSORS}"
        found.append((sensor, reading(number, sensor)["timestamp"] * 1_000_000))
    return sorted(found)


def batch(first: int = 0, n: int = N_GOOD, *, bad: bytes | None = BAD) -> EventBatch:
    """Make a batch of good readings, one event each, and a bad one behind the third."""
    bodies = [body(number, f"pump-{number % N_SENSORS}") for number in range(first, first + n)]
    if bad is not None:
        bodies.insert(3, bad)
    return event_batch(bodies, first=first, hub="hub")


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a batch, and how long that took: waits that were skipped count."""

    seconds: float
    counts: BatchCounts | None = None
    error: ScoringError | None = None

    def at(self, store: FaultyStore) -> StoreCounts:
        """Return the counts of one store."""
        assert self.counts is not None, self.error
        return self.counts.stores[store.name]


@dataclass(frozen=True, slots=True)
class Plant:
    """An app whose settings lead to faulty stores."""

    deployment: Deployment
    stores: Sequence[FaultyStore]
    clock: Clock
    waits: dict[str, list[float]] = field(default_factory=dict)

    def deliver(self, events: EventBatch, *, settles: bool = True) -> Fate:
        """Deliver a batch as the trigger does; only errors of the one tree keep it."""
        before = sum(map(sum, self.waits.values()))
        started = time.monotonic()
        counts, error = None, None
        try:
            counts = self.deployment.app.delivery.deliver(events)
        except ScoringError as found:
            error = found
        seconds = time.monotonic() - started + sum(map(sum, self.waits.values())) - before
        if settles:  # so that health is asked about a record whose fate is known
            assert self.deployment.app.delivery.status.settle(60)
        self.clock.move(seconds=16)  # so that the next batch leaves a status record, too
        return Fate(seconds, counts, error)

    def drain(self) -> int:
        """Run the timer `drain_spill`; return how many readings still wait."""
        self.deployment.app.drain_spill()
        return self.n_spilled()

    def let_breakers_try(self) -> None:
        """Move the clock of the breakers past their longest pause: the next batch tries."""
        for outlet in self.deployment.app.delivery.outlets:
            outlet.breaker._clock = lambda: time.monotonic() + 60

    def let_models_be_looked_for(self) -> None:
        """Move the cache's clock on by a second, as long as what it found last counts."""
        self.deployment.app.delivery.cache._clock = lambda: time.monotonic() + 1.1

    def recover(self, events: EventBatch) -> int:
        """Deliver a batch that finds the stores back, and drain; return what still waits."""
        self.let_breakers_try()
        assert self.deliver(events).error is None
        return self.drain()

    def n_spilled(self) -> int:
        """Count the files in the spill."""
        container = open_storage(self.deployment.app.settings).container(SPILL)
        return len(list(container.list()))

    def health(self) -> tuple[str, dict[str, Any]]:
        """Ask for health, which anyone may: it holds no address and no error text."""
        text = self.deployment.app.http.health().body().decode()
        assert not _TELLS_TOO_MUCH.search(text), text
        assert str(self.deployment.data_dir) not in text
        found = json.loads(text)
        return found["status"], found["parts"]

    def totals(self) -> dict[str, int]:
        """Return the ledger's counts."""
        return self.deployment.app.delivery.ledger.totals()


# Builds an app from settings besides those of the stores.
Run = Callable[..., Plant]


def assert_held(plant: Plant, fate: Fate, error: type[ScoringError], n_events: int) -> None:
    """Expect that the batch comes again, and that ledger and health say so."""
    assert type(fate.error) is error, fate.error
    assert plant.totals()["held"] == n_events
    assert plant.totals()["unaccounted"] == 0


def assert_nothing_lost(
    plant: Plant,
    expected: Sequence[Identity],
    letters: Sequence[bytes] = (BAD,),
    refused_at: dict[str, Identity] | None = None,
) -> None:
    """Expect every good reading once in every store, every bad one once in the dead letters."""
    for store in plant.stores:
        refused = (refused_at or {}).get(store.name)
        assert store.identities() == [one for one in expected if one != refused], store.name
    found = [letter.raw_bytes() for letter in plant.deployment.letters()]
    assert sorted(found) == sorted(letters)
    assert plant.n_spilled() == 0
    totals, rejected = plant.totals(), plant.deployment.app.delivery.ledger.rejected()
    assert totals["received"] == totals["scored"] + sum(rejected.values()) + totals["held"]
    assert (totals["unaccounted"], totals["collided"]) == (0, 0)
    overall, parts = plant.health()
    assert overall == "ok", parts


def _at_once(trial: Callable[[], None]) -> None:
    """Make a trial where it is asked for, so that a test knows when it has ended."""
    trial()


def _without_waits(sink: Any, waits: list[float]) -> None:
    """Let a sink wait no time at all between its tries."""
    sink._sleep = waits.append


@contextmanager
def running_plant(
    data_dir: Path, clock: Clock, stores: Sequence[FaultyStore], **environ: str
) -> Iterator[Plant]:
    """Build the app from settings, with a model in its storage; nothing of it is replaced."""
    for store in stores:
        environ = store.environment() | environ
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scoring.app._now", clock)
        for name in ("GOOD_FOR_S", "FAILED_FOR_S"):
            patch.setattr(shared_looks, name, 0.0)
        with deployed(data_dir, **environ) as deployment:
            plant = Plant(replace(deployment, hub="hub"), stores, clock)
            for outlet in deployment.app.delivery.outlets:
                object.__setattr__(outlet, "beside", _at_once)
            for sink in deployment.app.http.sinks:
                if hasattr(sink, "_sleep"):
                    _without_waits(sink, plant.waits.setdefault(sink.name, []))
            try:
                yield plant
            finally:
                for store in stores:
                    store.released.set()
                assert deployment.app.delivery.status.settle(60)


def publish_model(plant: Plant) -> None:
    """Publish a model where there is none."""
    publish(plant.deployment.models, small_model())


def mend(store: FaultyStore) -> None:
    """End a store's fault."""
    store.fault = ""
    store.released.set()


def assert_spilled(plant: Plant, fate: Fate, faulty: FaultyStore) -> dict[str, Any]:
    """Expect that the batch is done: it waits for the faulty store, and is at the other."""
    for store in plant.stores:
        written = 0 if store is faulty else N_GOOD
        assert fate.at(store) == StoreCounts(written, N_GOOD - written, 0)
    assert plant.n_spilled() == 1
    assert plant.totals().get("held") == 0
    overall, parts = plant.health()
    assert (overall, parts["spill"]["state"], parts["spill"]["batches"]) == (
        "degraded",
        "degraded",
        1,
    )
    part: dict[str, Any] = parts[f"sink:{faulty.name}"]
    assert (part["state"], part["breaker"], part["spilled"]) == ("degraded", "open", N_GOOD)
    assert {parts[f"sink:{one.name}"]["state"] for one in plant.stores if one is not faulty} == {
        "ok"
    }
    return part


def assert_recovers(plant: Plant) -> None:
    """Expect that what waits is written back, and that the batch delivered again adds nothing."""
    assert plant.drain() == 0
    assert plant.recover(batch()) == 0
    assert plant.deliver(batch()).error is None
    assert_nothing_lost(plant, good())
