"""Writes results as tables, for the terminal and as Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table as RichTable

from bench.budgets import TIMES
from bench.forest_rows import ForestTimes
from bench.invocations import N_EVENTS, Comparison
from bench.results import Results, budgets
from bench.stages import STAGES, StageTimes
from bench.starts import StartTimes

_STYLES = {"missed": "bold red", "not measured": "dim"}


@dataclass(frozen=True, slots=True)
class Table:
    """Cells under a title; the first column is text, the others are numbers."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def tables(results: Results) -> list[Table]:
    """Lay the results out, budgets first."""
    head = ("what", "measured", "budget", "")
    return [
        Table("Budgets", head, [one.cells() for one in budgets(results)]),
        _stage_table(results.stages),
        _comparison_table(results.comparison, results.runtime_library),
        _growth_table(
            "Growth: events of 50 sensors in a batch", "events", results.growth.by_events
        ),
        _growth_table("Growth: sensors in a batch of 1,000", "sensors", results.growth.by_sensors),
        _forest_table(results.forest),
        _start_table(results.starts),
    ]


def _stage_table(found: Sequence[StageTimes]) -> Table:
    rows = [[stage, *(f"{one.us_per_event(stage):,.2f}" for one in found)] for stage in STAGES]
    rows.append(["whole", *(f"{one.whole / one.n_events * 1e6:,.2f}" for one in found)])
    head = ("batch of", *(f"{one.n_events:,}" for one in found))
    return Table("Stages, µs an event", head, rows)


def _comparison_table(found: Comparison, runtime_library: float | None) -> Table:
    rates = {f"batches of {n:,}": rate for n, rate in found.whole.items()}
    if runtime_library is not None:
        rates[f"{N_EVENTS:,} in Microsoft's runtime library"] = runtime_library
    rates[f"straightforward app, batches of {N_EVENTS:,}"] = found.straightforward
    rates["one event at a time"] = found.one_by_one
    rows = [
        [
            name,
            f"{rate:,.0f}",
            f"{rate / found.straightforward:,.2f}{TIMES}",
            f"{rate / found.one_by_one:,.0f}{TIMES}",
        ]
        for name, rate in rates.items()
    ]
    if runtime_library is None:
        rows.append(["Microsoft's runtime library: not installed", "", "", ""])
    head = ("on one core", "events/s", "to straightforward", "to one by one")
    return Table("Whole invocation, decoded to stored", head, rows)


def _growth_table(title: str, noun: str, found: Mapping[int, float]) -> Table:
    least = min(found.values())
    rows = [
        [f"{n:,}", f"{cost * 1e6:.2f}", f"{cost / least:.2f}{TIMES}"] for n, cost in found.items()
    ]
    return Table(title, (noun, "µs an event", "to the cheapest"), rows)


def _forest_table(found: Sequence[ForestTimes]) -> Table:
    rows = [
        [
            f"{one.n_rows:,}",
            f"{one.flat / one.n_rows * 1e6:,.2f}",
            f"{one.scikit_learn / one.n_rows * 1e6:,.2f}",
            f"{one.scikit_learn / one.flat:,.1f}{TIMES}",
        ]
        for one in found
    ]
    head = ("rows", "flat", "scikit-learn", "times as fast")
    return Table("Isolation forest of 100 trees, µs a row", head, rows)


def _start_table(found: StartTimes) -> Table:
    rows = [
        ["process start to first batch stored", f"{found.first_batch:.2f}"],
        ["importing sklearn.ensemble and influxdb_client alone", f"{found.imports:.2f}"],
        ["importing function_app", f"{found.function_app:.2f}"],
    ]
    return Table("Fresh processes", ("", "s"), rows)


def print_results(results: Results, console: Console) -> None:
    """Print every table, and what it was measured on."""
    for line in results.machine.lines():
        console.print(line, style="dim", highlight=False)
    for table in tables(results):
        console.print(f"\n{table.title}", style="bold", highlight=False)
        rich = RichTable()
        for column, name in enumerate(table.head):
            rich.add_column(name, justify="right" if column else "left")
        for row in table.rows:
            rich.add_row(*row, style=_STYLES.get(row[-1]))
        console.print(rich)


def markdown(results: Results) -> str:
    """Write every table as Markdown."""
    parts = ["# Results of `make bench`", "<br>\n".join(results.machine.lines())]
    parts.append("![Cost of an event by stage, and events a second](results.png)")
    for table in tables(results):
        rule = ["---"] + ["---:"] * (len(table.head) - 1)
        lines = [f"| {' | '.join(row)} |" for row in (table.head, rule, *table.rows)]
        parts.append("\n".join([f"## {table.title}", "", *lines]))
    return "\n\n".join(parts) + "\n"
