"""Parts of the app that keep what they are given, for a check afterwards."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count

import msgspec
import numpy as np

from fuzz.memory_storage import MemoryContainer
from scoring.breaker import Breaker
from scoring.cache import ModelCache
from scoring.collisions import CollisionCounter
from scoring.dead_letters import DeadLetters
from scoring.delivery import Delivery
from scoring.health import SystemHealth
from scoring.http_api import HttpApi
from scoring.ledger import Ledger
from scoring.outlets import Outlet
from scoring.pipeline import Policy
from scoring.registry import LoadOptions, Registry
from scoring.scored import Refused, ScoredBatch, Sink
from scoring.side_work import SideWork, Work
from scoring.spill import Spill
from scoring.status import StatusBoard
from training.estimators import FitOptions
from training.fitting import Artifact, fit

FEATURES = ("temperature", "vibration")
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
_REFRESH_SECONDS = 86_400.0  # once; the model does not change


@dataclass(slots=True)
class KeptSink:
    """A sink that keeps what it is given until it is asked for it."""

    name: str = "kept"
    batches: list[ScoredBatch] = field(default_factory=list)

    def wanted(self, batch: ScoredBatch) -> ScoredBatch:
        """Return all of it."""
        return batch

    def write(self, batches: Sequence[ScoredBatch]) -> Sequence[Refused]:
        """Keep all."""
        self.batches += batches
        return ()

    def taken(self) -> list[ScoredBatch]:
        """Return what came since the last call."""
        found, self.batches = self.batches, []
        return found


class AtOnce(SideWork):
    """Does work in the thread that asks for it, so that what it raises is found."""

    def do(self, work: Work) -> None:
        """Do it now."""
        work()


def _inline(work: Work) -> None:
    work()


def artifact(name: str = "default") -> Artifact:
    """Fit a small forest that calls a part of its training readings anomalies."""
    X = np.random.default_rng(0).normal((20.0, 1.0), (1.0, 0.1), (200, len(FEATURES)))
    options = FitOptions(scaler="none", n_estimators=5, contamination=0.1)
    return fit(X, FEATURES, options, name=name, source="fuzz")


@dataclass(frozen=True, slots=True)
class Bench:
    """A whole app in memory, and the containers behind it."""

    delivery: Delivery
    http: HttpApi
    containers: dict[str, MemoryContainer]


def bench(policy: Policy, sinks: Sequence[Sink], published: Artifact) -> Bench:
    """Put the app together as `scoring.app` does, on memory; its clock stands still."""
    kinds = ("models", "dead-letter", "spill", "status")
    containers = {kind: MemoryContainer(kind) for kind in kinds}
    for name in policy.routes.models:
        manifest = replace_name(published, name)
        Registry(containers["models"]).publish(manifest.manifest, manifest.data)
    registry = Registry(containers["models"], LoadOptions())
    cache = ModelCache(registry, policy.routes.models, _REFRESH_SECONDS, time.monotonic)
    letters = DeadLetters(containers["dead-letter"])
    spill = Spill(containers["spill"], 1e6, lambda: NOW)
    board = StatusBoard(containers["status"], "fuzz", lambda: NOW, writing=AtOnce())
    outlets = [Outlet(sink, Breaker(time.monotonic), spill) for sink in sinks]
    delivery = Delivery(
        cache, policy, outlets, letters, Ledger(), CollisionCounter(), board, lambda: NOW
    )
    system = SystemHealth(
        cache,
        policy.routes.models,
        sinks,
        board,
        spill,
        letters,
        lambda: NOW,
        monotonic=count(step=10).__next__,  # each question is so much later, and looks anew
        background=_inline,
    )
    http = HttpApi(cache, policy, tuple(sinks), system, lambda: NOW)
    return Bench(delivery, http, containers)


def replace_name(published: Artifact, name: str) -> Artifact:
    """Publish the same model under another name."""
    manifest = msgspec.structs.replace(published.manifest, name=name)
    return replace(published, manifest=manifest)
