"""Fuzzes one surface in a process of its own: ``python -m fuzz.process``."""

import argparse
import logging
from pathlib import Path

from fuzz.engines import run_by_coverage, run_plainly
from fuzz.guard import Guard


def main() -> None:
    """Run until the time is up; what there is to tell goes to standard output and error."""
    options = _parser().parse_args()
    logging.disable(logging.CRITICAL)  # what inputs are told is looked at where it matters
    seeds: Path = options.folder / "seeds"
    findings: Path = options.folder / "findings"

    def make() -> Guard:
        from fuzz.surfaces import surface  # noqa: PLC0415  # instrumented by its engine

        found = surface(options.surface)
        _write_seeds(found.seeds(), found.tokens, seeds)
        return Guard(found, findings)

    if options.engine == "atheris":
        run_by_coverage(make, seeds, options.seconds, options.seed)
        return
    guard = make()
    run_plainly(guard, seeds, guard.tokens, options.seconds, options.seed)


def _write_seeds(inputs: list[bytes], tokens: tuple[bytes, ...], folder: Path) -> None:
    """Write what engines begin with, and a dictionary as libFuzzer reads it."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(inputs):
        (folder / f"seed-{number:04d}").write_bytes(data)
    entries = ("".join(f"\\x{byte:02x}" for byte in token) for token in tokens)
    folder.with_suffix(".dict").write_text("".join(f'"{entry}"\n' for entry in entries))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fuzz.process", description=__doc__)
    parser.add_argument("--surface", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("--engine", choices=["atheris", "plain"], required=True)
    parser.add_argument("--seed", type=int, default=1)
    return parser


if __name__ == "__main__":
    main()
