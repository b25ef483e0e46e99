"""Runs the surfaces in processes of their own, two at a time, each for its share of the time."""

import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from fuzz.guard import MOST_SECONDS
from fuzz.results import Result, read_result

AT_A_TIME = 2
# Where there is such a folder, what surfaces write waits for no disk.
_MEMORY = Path("/dev/shm")  # noqa: S108  # a folder with a name of its own is made in it
# Beyond its share: to import, to fit what it mutates, and for the input it is at.
_GRACE_SECONDS = 60 + MOST_SECONDS


@dataclass(frozen=True, slots=True)
class Plan:
    """What to fuzz, how, for how long, and where to leave what is found."""

    surfaces: Sequence[str]
    seconds: float
    engine: str
    folder: Path
    seed: int = 1

    @property
    def share(self) -> int:
        """Seconds of one surface; at least one."""
        return max(1, int(self.seconds / math.ceil(len(self.surfaces) / AT_A_TIME)))


def run(plan: Plan, tell: Callable[[str], None]) -> list[Result]:
    """Fuzz every surface of a plan."""

    def one(surface: str) -> Result:
        tell(f"fuzzing {surface} for {plan.share} s ({plan.engine})")
        return _run_surface(plan, surface)

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        return list(pool.map(one, plan.surfaces))


def _run_surface(plan: Plan, surface: str) -> Result:
    folder = plan.folder / surface
    (folder / "findings").mkdir(parents=True, exist_ok=True)
    options = {
        "surface": surface,
        "folder": folder,
        "seconds": plan.share,
        "engine": plan.engine,
        "seed": plan.seed,
    }
    command = [sys.executable, "-m", "fuzz.process"]
    command += [f"--{name}={value}" for name, value in options.items()]
    started = time.monotonic()
    with TemporaryDirectory(prefix="fuzz-", dir=_MEMORY if _MEMORY.is_dir() else None) as temporary:
        code = _ended(command, folder, temporary, plan.share + _GRACE_SECONDS)
    return read_result(surface, min(time.monotonic() - started, plan.share), code, folder)


def _ended(command: Sequence[str], folder: Path, temporary: str, most_seconds: float) -> int:
    """Run a process to its end, or end it after so long; returns its exit code."""
    environment = {**os.environ, "TMPDIR": temporary, "OMP_NUM_THREADS": "1"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  # our own module
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=Path(__file__).parents[1],
        )
        try:
            return process.wait(most_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()
