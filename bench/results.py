"""Measures everything once and gathers the results."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.budgets import TIMES, Budget
from bench.deployment import Deployment, deployed
from bench.forest_rows import ForestTimes, measure_forest
from bench.invocations import (
    N_EVENTS,
    Comparison,
    Growth,
    compare,
    measure_growth,
    measure_one_reading,
)
from bench.machine import Machine, this_machine
from bench.runtime_library import measure_runtime_library
from bench.stages import BATCH_SIZES, StageTimes, measure_stages
from bench.starts import Memory, StartTimes, measure_memory, measure_starts

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure.

    Parameters
    ----------
    cell_seconds : float
        For one small measurement; the large ones take a few times as long.
    n_starts : int
        Fresh processes of each kind.
    growth_sizes : tuple of int
        Events in a batch.
    large_forest : int
        Trees of the forest whose process is weighed.
    """

    cell_seconds: float = 3.0
    n_starts: int = 5
    growth_sizes: tuple[int, ...] = (1_000, 10_000, 100_000)
    large_forest: int = 1_000


# Every measurement, each as small as it can be: shows that all of it works, and little more.
QUICK = Effort(0.02, n_starts=1, growth_sizes=(1_000, 5_000), large_forest=100)


@dataclass(frozen=True, slots=True)
class Results:
    """What one run found; times in seconds."""

    machine: Machine
    stages: list[StageTimes]
    comparison: Comparison
    runtime_library: float | None
    one_reading: float
    starts: StartTimes
    memory: Memory
    growth: Growth
    forest: list[ForestTimes]


def measure(effort: Effort, tell: Told) -> Results:
    """Measure everything on one core; `tell` hears what is being measured."""
    with deployed() as deployment:
        return _measure(deployment, effort, tell)


def _measure(deployment: Deployment, effort: Effort, tell: Told) -> Results:
    seconds = effort.cell_seconds
    tell("stages")
    stages = [measure_stages(deployment, n, seconds) for n in BATCH_SIZES]
    forest = measure_forest(deployment, seconds / 2)
    one_reading = measure_one_reading(deployment, seconds / 2)
    tell("growth")
    growth = measure_growth(deployment, effort.growth_sizes, seconds * 5)
    tell("baselines")
    comparison = compare(deployment, seconds * 5)
    tell("Microsoft's runtime library")
    runtime_library = measure_runtime_library(deployment, seconds)
    tell("fresh processes")
    starts = measure_starts(deployment, effort.n_starts)
    memory = measure_memory(deployment, effort.large_forest)
    return Results(
        machine=this_machine(),
        stages=stages,
        comparison=comparison,
        runtime_library=runtime_library,
        one_reading=one_reading,
        starts=starts,
        memory=memory,
        growth=growth,
        forest=forest,
    )


def budgets(results: Results) -> list[Budget]:
    """Hold the results against the promises, the most important first."""
    return [
        *_throughput_budgets(results),
        *_start_budgets(results),
        *_growth_budgets(results.growth),
        *_part_budgets(results),
    ]


def _throughput_budgets(results: Results) -> list[Budget]:
    found = results.comparison
    whole = found.whole[N_EVENTS]
    plain, single = whole / found.straightforward, whole / found.one_by_one
    batch = f"whole invocation, batches of {N_EVENTS:,}"
    return [
        Budget(batch, "at least", 80_000, "events/s", whole),
        Budget("… to the straightforward Functions app", "at least", 12, TIMES, plain, 1),
        Budget("… to one event at a time", "at least", 500, TIMES, single),
        Budget("one reading, no I/O", "at most", 0.15, "ms", results.one_reading * 1e3, 3),
    ]


def _start_budgets(results: Results) -> list[Budget]:
    starts = results.starts
    ratio = starts.first_batch / starts.imports
    memory = f"resident memory, {results.memory.n_trees:,}-tree forest"
    return [
        Budget("first batch stored, to bare imports", "at most", 1.3, TIMES, ratio, 2),
        Budget("importing function_app", "at most", 0.4, "s", starts.function_app, 2),
        Budget(memory, "at most", 260, "MiB", results.memory.resident_mib),
    ]


def _growth_budgets(growth: Growth) -> list[Budget]:
    rows = (("events a batch", growth.by_events), ("sensors", growth.by_sensors))
    return [
        Budget(
            f"an event, {min(found):,} to {max(found):,} {noun}",
            "at most",
            1.25,
            TIMES,
            max(found.values()) / min(found.values()),
            2,
        )
        for noun, found in rows
    ]


def _part_budgets(results: Results) -> list[Budget]:
    batch = next(one for one in results.stages if one.n_events == N_EVENTS)
    share = batch.stages["attribute"] / batch.whole * 100
    us_a_row = {one.n_rows: one.flat / one.n_rows * 1e6 for one in results.forest}
    return [
        Budget("attribution, 1 % anomalies", "at most", 10, "%", share, 1),
        Budget("forest, a row of 1,000", "at most", 2.5, "µs", us_a_row[1_000], 2),
        Budget("forest, one row", "at most", 40, "µs", us_a_row[1], 1),
    ]
