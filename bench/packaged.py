"""Measures the cold start of the package: the unpacked zip with the deployed requirements alone.

``python -m bench.packaged [STARTS]`` prints medians, of processes that are started in turn.
"""

import os
import statistics
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.deployment import N_ESTIMATORS, ROOT
from bench.invocations import N_EVENTS
from bench.model import publish_model
from bench.workload import make_workload
from local.environment import process_environment
from local.lone_environment import lone_environment
from local.package import Package, write_package

_STARTS = 7
_IMPORT = (
    "import time; t = time.perf_counter(); import function_app; print(time.perf_counter() - t)"
)


@dataclass(frozen=True, slots=True)
class ColdStart:
    """Medians in seconds.

    Parameters
    ----------
    interpreter : float
        From the start of a process that does nothing to its end.
    function_app : float
        For importing `function_app`, in a process that has started.
    first_batch : float
        From the start of a process to its end, after it stored its first batch of 1,000 events.
    """

    interpreter: float
    function_app: float
    first_batch: float


def measure_package(folder: Path, n_starts: int) -> tuple[Package, ColdStart]:
    """Package, unpack and start; `folder` takes it all."""
    package = write_package(ROOT, folder / "package.zip")
    with zipfile.ZipFile(package.path) as archive:
        archive.extractall(folder / "app")
    publish_model(folder / "data", N_ESTIMATORS)
    batch = folder / "batch.json"
    make_workload(N_EVENTS).save(batch)
    start = _starter(lone_environment(ROOT).python, folder)
    commands = (["-c", "pass"], ["-c", _IMPORT], ["-m", "bench.first_batch", str(batch)])
    rounds = [[start(command) for command in commands] for _ in range(n_starts)]
    columns = list(zip(*rounds, strict=True))
    return package, ColdStart(
        statistics.median(seconds for seconds, _ in columns[0]),
        statistics.median(float(said) for _, said in columns[1]),
        statistics.median(seconds for seconds, _ in columns[2]),
    )


def _starter(python: Path, folder: Path) -> Callable[[Sequence[str]], tuple[float, str]]:
    environ: Mapping[str, str] = {
        **process_environment().variables(),
        "DATA_DIR": str(folder / "data"),
        # the package's folder comes first; behind it this project, for the bench alone
        "PYTHONPATH": os.pathsep.join([str(folder / "app"), str(ROOT)]),
    }

    def start(arguments: Sequence[str]) -> tuple[float, str]:
        started = time.perf_counter()
        ended = subprocess.run(  # noqa: S603  # ours
            [str(python), *arguments],
            cwd=folder / "app",
            env=environ,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return time.perf_counter() - started, ended.stdout.strip()

    return start


def main() -> None:
    """Measure and print."""
    n_starts = int(sys.argv[1]) if sys.argv[1:] else _STARTS
    with TemporaryDirectory(prefix="packaged-") as folder:
        package, found = measure_package(Path(folder), n_starts)
    kib = f"{package.n_bytes / 1024:.0f} KiB zip, {package.n_unpacked / 1024:.0f} KiB unpacked"
    print(f"package: {len(package.files)} files, {kib}")
    print(f"interpreter alone: {found.interpreter * 1e3:.0f} ms")
    print(f"import function_app: {found.function_app * 1e3:.0f} ms")
    print(f"process start to the end of its first batch of 1,000: {found.first_batch:.2f} s")


if __name__ == "__main__":
    main()
