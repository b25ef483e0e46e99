"""Reads what the process of a surface left, and writes it as a table."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from fuzz.findings import Finding

_EXECUTIONS = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
_MEMORY = re.compile(r"stat::peak_rss_mb:\s*(\d+)")
_CORPUS = re.compile(r"corp: (\d+)/")
_COVERAGE = re.compile(r"cov: (\d+)")


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one surface.

    Parameters
    ----------
    surface : str
    seconds : float
    executions : int
    corpus : int
        Inputs that differ in what they reach, or those to begin with.
    coverage : int or None
        Places in the code that were reached; None without Atheris.
    peak_mb : int
    findings : sequence of Finding
    fault : str or None
        Why there is nothing to tell.
    """

    surface: str
    seconds: float
    executions: int
    corpus: int
    coverage: int | None
    peak_mb: int
    findings: Sequence[Finding]
    fault: str | None = None

    @property
    def is_clean(self) -> bool:
        """Whether it ran, and nothing was found."""
        return not self.findings and self.fault is None


def read_result(surface: str, seconds: float, code: int, folder: Path) -> Result:
    """Read the log and the findings of a process that ended."""
    log = (folder / "log").read_text("utf-8", "replace")
    kept = sorted((folder / "findings").iterdir())
    findings = [Finding(path) for path in kept if path.suffix != ".txt"]
    current = folder / "seeds.current"
    if current.exists():  # it ended, or was ended, in the middle of this one
        findings.append(Finding(current))
    executions = _last(_EXECUTIONS, log)
    fault = None
    if code or not executions:
        fault = f"ended with exit code {code}: {log[-2_000:]}"
    return Result(
        surface,
        seconds,
        executions or 0,
        _last(_CORPUS, log) or 0,
        _last(_COVERAGE, log),
        _last(_MEMORY, log) or 0,
        findings,
        fault,
    )


def _last(pattern: re.Pattern[str], log: str) -> int | None:
    found = pattern.findall(log)
    return int(found[-1]) if found else None


def table(results: Sequence[Result]) -> Table:
    """Write a line a surface."""
    shown = Table(title="any bytes")
    shown.add_column("surface", no_wrap=True)
    for name in ("executions", "a second", "corpus", "coverage", "peak MB", "findings"):
        shown.add_column(name, justify="right")
    for one in results:
        shown.add_row(
            one.surface,
            f"{one.executions:,}",
            f"{one.executions / one.seconds:,.0f}",
            f"{one.corpus:,}",
            "-" if one.coverage is None else f"{one.coverage:,}",
            f"{one.peak_mb:,}",
            str(len(one.findings)) if one.fault is None else "ended",
        )
    return shown
