"""Tests of bench: what is measured, and how it is held against what was promised."""

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from azure.functions.eventhub import EventHubTriggerConverter
from rich.console import Console

from bench.baselines import stock_decoded
from bench.budgets import TIMES, Budget, Check, exit_code
from bench.forest_rows import ROW_COUNTS, ForestTimes
from bench.invocations import Comparison, Growth
from bench.machine import this_machine
from bench.model import publish_model
from bench.plot import plot
from bench.report import markdown, print_results, tables
from bench.results import Results, budgets
from bench.stages import BATCH_SIZES, STAGES, StageTimes
from bench.starts import Memory, StartTimes
from bench.timing import interleaved_medians
from bench.workload import load_workload, make_workload
from scoring import decoding
from scoring.decoding import DecodedEvents, event_batch
from scoring.pipeline import score_batch
from tests.deployments import deployed

ROOT = Path(__file__).parents[1]
NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def _fast_decoding() -> Iterator[None]:
    """Install the fast decoding for the length of a test."""
    stock = EventHubTriggerConverter.decode_multiple_events
    decoding.install()
    yield
    EventHubTriggerConverter.decode_multiple_events = stock  # type: ignore[method-assign]


@pytest.mark.usefixtures("_fast_decoding")
def test_the_workload_decodes_the_same_in_the_stock_and_in_the_fast_way() -> None:
    """The baseline and the app are given the same events."""
    workload = make_workload(100, first=40)
    fast, stock = workload.decoded(), stock_decoded(workload)
    assert isinstance(fast, DecodedEvents)
    assert isinstance(stock, list)
    assert event_batch(fast, "hub", NOW) == event_batch(stock, "hub", NOW)


def test_a_saved_workload_is_the_same_one(tmp_path: Path) -> None:
    """A fresh process scores what it was given."""
    workload = make_workload(20)
    workload.save(tmp_path / "batch.json")
    found = load_workload(tmp_path / "batch.json")
    assert found.bodies == workload.bodies
    batches = [event_batch(one.decoded(), "hub", NOW) for one in (found, workload)]
    assert batches[0] == batches[1]


def test_every_reading_is_scored_and_one_in_a_hundred_is_an_anomaly(tmp_path: Path) -> None:
    """What is promised is promised for exactly this work, with every anomaly explained."""
    publish_model(tmp_path, n_estimators=20)
    with deployed(tmp_path) as deployment:
        delivery = deployment.app.delivery
        batch = event_batch(make_workload(1_000).decoded(), "hub", NOW)
        outcome = score_batch(batch, delivery.cache.snapshot(), delivery.policy)
    (scored,) = outcome.scored
    assert (len(scored), outcome.rejected) == (1_000, [])
    assert scored.is_anomaly is not None
    assert scored.is_anomaly.sum() == len(scored.causes) == 10
    assert len(set(zip(scored.sensor_ids, scored.event_time_ns.tolist(), strict=True))) == 1_000


def test_calls_are_made_in_turn_until_there_are_enough_of_each() -> None:
    """No time at all still gives the median of several calls."""
    made: list[str] = []
    calls = {name: lambda name=name: made.append(name) for name in "ab"}
    found = interleaved_medians(calls, seconds=0.0)
    assert set(found) == {"a", "b"}
    assert all(seconds >= 0 for seconds in found.values())
    assert min(made.count("a"), made.count("b")) > 3
    assert "".join(made).startswith("ab")  # each once before it counts


def ratio(measured: float | None) -> Budget:
    """Make a budget that is a ratio: at most 2."""
    return Budget("a ratio", "at most", 2, TIMES, measured)


def rate(measured: float | None) -> Budget:
    """Make a budget that depends on the machine: at least 10."""
    return Budget("a rate", "at least", 10, "events/s", measured)


@pytest.mark.parametrize(
    ("budget", "verdict"),
    [
        (ratio(2.0), "ok"),
        (ratio(2.001), "missed"),
        (rate(10.0), "ok"),
        (rate(9.99), "missed"),
        (rate(None), "not measured"),
    ],
    ids=["at most", "above", "at least", "below", "nothing"],
)
def test_a_budget_is_met_up_to_its_bound(budget: Budget, verdict: str) -> None:
    """The bound itself is kept; what cannot be measured is not missed."""
    assert budget.verdict == verdict
    assert budget.is_met is (verdict != "missed")


@pytest.mark.parametrize(
    ("found", "check", "expected"),
    [
        ([ratio(3), rate(10)], "1", 1),
        ([ratio(1), rate(1)], "1", 0),
        ([ratio(1), rate(1)], "all", 1),
        ([ratio(3), rate(1)], "", 0),
        ([ratio(None), rate(None)], "all", 0),
        ([ratio(1), rate(10)], "all", 0),
    ],
    ids=["ratio", "rate", "rate in all", "no check", "not measured", "met"],
)
def test_only_the_budgets_that_are_asked_for_fail(
    found: list[Budget], check: Check, expected: int
) -> None:
    """CHECK=1 fails for ratios, CHECK=all for every budget, and nothing fails unasked."""
    assert exit_code(found, check) == expected


def results(runtime_library: float | None = 90_000.0) -> Results:
    """Make up the results of a run."""
    stages = [
        StageTimes(n, n * 8e-6 + 4e-4, dict.fromkeys(STAGES, (n * 8e-6 + 4e-4) / len(STAGES)))
        for n in BATCH_SIZES
    ]
    return Results(
        machine=this_machine(),
        stages=stages,
        comparison=Comparison({n: n / 8e-3 for n in BATCH_SIZES}, 6_250.0, 200.0),
        runtime_library=runtime_library,
        one_reading=80e-6,
        starts=StartTimes(1.3, 1.25, 0.1),
        memory=Memory(1_000, 300.0),
        growth=Growth({1_000: 9e-6, 100_000: 6e-6}, {1: 8e-6, 1_000: 8e-6}),
        forest=[ForestTimes(n, n * 2e-6, n * 8e-6) for n in ROW_COUNTS],
    )


def test_results_are_held_against_what_was_promised() -> None:
    """Ratios are made of what was measured side by side."""
    found = {one.what: one for one in budgets(results())}
    assert found["whole invocation, batches of 1,000"].cells()[1] == "125,000 events/s"
    assert found["… to the straightforward Functions app"].cells()[1:] == (
        f"20.0{TIMES}",
        f"≥ 12.0{TIMES}",
        "ok",
    )
    missed = [one.what for one in found.values() if not one.is_met]
    assert missed == [
        "resident memory, 1,000-tree forest",
        "an event, 1,000 to 100,000 events a batch",
        "attribution, 1 % anomalies",
    ]


@pytest.mark.parametrize("runtime_library", [90_000.0, None], ids=["installed", "not installed"])
def test_every_table_renders_whole(runtime_library: float | None) -> None:
    """Each row has a cell a column; the terminal and the file show the same cells."""
    made_up = results(runtime_library)
    stream = StringIO()
    print_results(made_up, Console(file=stream, width=120))
    text, page = stream.getvalue(), markdown(made_up)
    for table in tables(made_up):
        assert table.rows
        for row in table.rows:
            assert len(row) == len(table.head)
            assert f"| {' | '.join(row)} |" in page
            assert all(cell in text for cell in row)
    assert ("not installed" in text) is (runtime_library is None)


def test_the_plot_is_written(tmp_path: Path) -> None:
    """It is a PNG file."""
    plot(results(), tmp_path / "results.png")
    assert (tmp_path / "results.png").read_bytes().startswith(b"\x89PNG")


def test_the_bench_runs_from_end_to_end(tmp_path: Path) -> None:
    """Hardly measured at all, each measurement still gives a value that makes sense."""
    command = [sys.executable, "-m", "bench", "--quick", "--output", str(tmp_path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    page = (tmp_path / "results.md").read_text("utf-8")
    assert page.count("\n## ") == 7
    rate = re.search(r"whole invocation, batches of 1,000 \| ([\d,]+) events/s", page)
    assert rate is not None
    assert int(rate[1].replace(",", "")) > 1_000  # as on a machine in great trouble
    assert (tmp_path / "results.png").stat().st_size > 10_000
