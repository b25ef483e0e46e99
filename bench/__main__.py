"""Measures, prints the tables, and writes them with a plot: ``python -m bench``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench.budgets import exit_code
from bench.plot import plot
from bench.report import markdown, print_results
from bench.results import QUICK, Effort, budgets, measure

_HERE = Path(__file__).parent
# The widest table; a pipe tells no width.
_WIDTH = 100


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench; returns the exit code."""
    options = _parser().parse_args(arguments)
    console = Console() if sys.stdout.isatty() else Console(width=_WIDTH)
    effort = QUICK if options.quick else Effort()
    results = measure(effort, lambda what: console.print(f"measuring: {what}", style="dim"))
    print_results(results, console)
    output: Path | None = options.output or (None if options.quick else _HERE)
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        (output / "results.md").write_text(markdown(results), "utf-8")
        plot(results, output / "results.png")
        console.print(f"written: {output / 'results.md'} and results.png", style="dim")
    return exit_code(budgets(results), options.check)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--check",
        choices=["", "1", "all"],
        default="",
        help="fail where a budget is missed: 1 for those that are ratios, all for every one",
    )
    parser.add_argument(
        "--quick", action="store_true", help="hardly measure at all: only show that it works"
    )
    parser.add_argument(
        "--output", type=Path, help="folder for results.md and results.png; with --quick: none"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
