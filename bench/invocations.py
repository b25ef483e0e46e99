"""Measures whole invocations: against the baselines, as work grows, and one reading by itself."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from bench.baselines import StraightforwardApp, stock_decoded
from bench.deployment import Deployment
from bench.stages import BATCH_SIZES, read_batch, whole_invocation
from bench.timing import interleaved_medians, median_seconds
from bench.workload import Workload, make_workload
from scoring.app import ScoringApp
from scoring.pipeline import score_batch

N_EVENTS = 1_000
# Enough for a mean; one by one a thousand would take seconds.
_ONE_BY_ONE_EVENTS = 10
_SENSOR_COUNTS = (1, 50, 1_000)
# Small batches are measured this many events at a time, so that a round weighs as much for them.
_GROWTH_EVENTS = 10_000


@dataclass(frozen=True, slots=True)
class Comparison:
    """Events a second, measured side by side; the app's by the number of events in a batch."""

    whole: Mapping[int, float]
    straightforward: float
    one_by_one: float


@dataclass(frozen=True, slots=True)
class Growth:
    """Seconds an event, by the number of events in a batch, and of sensors in a batch of 1,000."""

    by_events: Mapping[int, float]
    by_sensors: Mapping[int, float]


def compare(deployment: Deployment, seconds: float) -> Comparison:
    """Time the app against both baselines, all on the same estimator and server."""
    baseline = StraightforwardApp(deployment.model.estimator, deployment.url)
    workload, few = make_workload(N_EVENTS), make_workload(_ONE_BY_ONE_EVENTS)
    calls: dict[int | str, Callable[[], object]] = {
        "straightforward": lambda: baseline.score_events(stock_decoded(workload)),
        "one by one": lambda: baseline.score_one_by_one(stock_decoded(few)),
        **{n: whole_invocation(deployment.app, n) for n in BATCH_SIZES},
    }
    found = interleaved_medians(calls, seconds)
    return Comparison(
        {n: n / found[n] for n in BATCH_SIZES},
        N_EVENTS / found["straightforward"],
        _ONE_BY_ONE_EVENTS / found["one by one"],
    )


def measure_growth(deployment: Deployment, sizes: Iterable[int], seconds: float) -> Growth:
    """Time batches of these sizes, and batches of few and of many sensors."""
    app = deployment.app
    by_events = _seconds_per_event(app, {n: _batches(n, 50) for n in sizes}, seconds)
    by_sensors = {n: _batches(N_EVENTS, n) for n in _SENSOR_COUNTS}
    return Growth(by_events, _seconds_per_event(app, by_sensors, seconds))


def _batches(n_events: int, n_sensors: int) -> list[Workload]:
    firsts = range(0, max(n_events, _GROWTH_EVENTS), n_events)
    return [make_workload(n_events, n_sensors, first) for first in firsts]


def _seconds_per_event(
    app: ScoringApp, batches: Mapping[int, list[Workload]], seconds: float
) -> dict[int, float]:
    calls = {key: partial(_score, app, workloads) for key, workloads in batches.items()}
    found = interleaved_medians(calls, seconds)
    return {
        key: found[key] / sum(len(one.bodies) for one in workloads)
        for key, workloads in batches.items()
    }


def _score(app: ScoringApp, workloads: Iterable[Workload]) -> None:
    for workload in workloads:
        app.score_events(workload.decoded())


def measure_one_reading(deployment: Deployment, seconds: float) -> float:
    """Time one reading through the pipeline, without decoding and stores; seconds."""
    delivery = deployment.app.delivery
    batch = read_batch(make_workload(1))
    return median_seconds(
        lambda: score_batch(batch, delivery.cache.snapshot(), delivery.policy), seconds
    )
