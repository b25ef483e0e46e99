"""Measures fresh processes: how long the first batch takes, and the memory they hold."""

import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.deployment import ROOT, Deployment
from bench.invocations import N_EVENTS
from bench.model import publish_model
from bench.workload import make_workload

_IMPORT = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"
_FOREST_AND_CLIENT = "sklearn.ensemble, influxdb_client"


@dataclass(frozen=True, slots=True)
class StartTimes:
    """Medians in seconds, of processes started in turn.

    Parameters
    ----------
    first_batch : float
        From the start of a process until it has stored its first batch of 1,000 events.
    imports : float
        For importing scikit-learn's forest and influxdb_client, in a process that has started.
    function_app : float
        For importing `function_app`, likewise.
    """

    first_batch: float
    imports: float
    function_app: float


@dataclass(frozen=True, slots=True)
class Memory:
    """What a process with a forest of so many trees holds; None where the system does not tell."""

    n_trees: int
    resident_mib: float | None


def measure_starts(deployment: Deployment, n_starts: int) -> StartTimes:
    """Start processes in turn; the median leaves out a first one that had to read and compile."""
    command = _first_batch(deployment.data_dir)
    found: list[tuple[float, float, float]] = []
    for _ in range(n_starts):
        first, _ = _run(command, deployment.environ)
        imports = _import_seconds(_FOREST_AND_CLIENT, deployment.environ)
        found.append((first, imports, _import_seconds("function_app", deployment.environ)))
    return StartTimes(*map(statistics.median, zip(*found, strict=True)))


def measure_memory(deployment: Deployment, n_trees: int) -> Memory:
    """Weigh a fresh process that has scored its first batch with a forest of so many trees."""
    folder = deployment.data_dir / "large"
    publish_model(folder, n_trees)
    environ = {**deployment.environ, "DATA_DIR": str(folder)}
    _, answer = _run(_first_batch(folder), environ)
    return Memory(n_trees, float(answer) if answer else None)


def _first_batch(folder: Path) -> list[str]:
    path = folder / "batch.json"
    make_workload(N_EVENTS).save(path)
    return ["-m", "bench.first_batch", str(path)]


def _import_seconds(modules: str, environ: Mapping[str, str]) -> float:
    return float(_run(["-c", _IMPORT.format(modules)], environ)[1])


def _run(arguments: list[str], environ: Mapping[str, str]) -> tuple[float, str]:
    """Run Python until its first line of output; returns the seconds that took, and the line."""
    started = time.perf_counter()
    command = [sys.executable, *arguments]
    with subprocess.Popen(  # noqa: S603  # ours
        command, cwd=ROOT, env=dict(environ), stdout=subprocess.PIPE, text=True
    ) as process:
        line = process.stdout.readline() if process.stdout else ""
        seconds = time.perf_counter() - started
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed; its error is above")
    return seconds, line.strip()
