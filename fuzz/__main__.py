"""Fuzzes every surface for a while, and tells what was found: ``python -m fuzz``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp

from rich.console import Console

from fuzz.engines import has_atheris
from fuzz.guard import MOST_MEMORY_MB, MOST_SECONDS
from fuzz.results import Result, table
from fuzz.schedule import Plan, run
from fuzz.surfaces import NAMES

# The widest table; a pipe tells no width.
_WIDTH = 100


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the fuzzer; returns 1 where anything was found."""
    options = _parser().parse_args(arguments)
    engine = options.engine or ("atheris" if has_atheris() else "plain")
    folder: Path = options.folder or Path(mkdtemp(prefix="fuzz-"))
    plan = Plan(options.surfaces or NAMES, options.seconds, engine, folder, options.seed)
    console = Console() if sys.stdout.isatty() else Console(width=_WIDTH)
    results = run(plan, lambda text: console.print(text, style="dim"))
    console.print(table(results))
    console.print(f"bounds: {MOST_MEMORY_MB} MB a process, {MOST_SECONDS} s an input", style="dim")
    for one in results:
        _tell(one, console)
    return 0 if all(one.is_clean for one in results) else 1


def _tell(result: Result, console: Console) -> None:
    for finding in result.findings:
        console.print(f"{result.surface}: {finding.text()}", soft_wrap=True, markup=False)
    if result.fault is not None:
        console.print(f"{result.surface} {result.fault}", soft_wrap=True, markup=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("surfaces", nargs="*", choices=[[], *NAMES], metavar="surface")
    parser.add_argument("--seconds", type=float, default=600.0, help="of all surfaces together")
    parser.add_argument("--engine", choices=["atheris", "plain"], help="Atheris where it is there")
    parser.add_argument("--folder", type=Path, help="for inputs and findings; a temporary one")
    parser.add_argument("--seed", type=int, default=1, help="other inputs with another one")
    return parser


if __name__ == "__main__":
    sys.exit(main())
