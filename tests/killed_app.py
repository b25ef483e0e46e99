"""Runs the app as two processes, kills either as a crash would, and starts it again."""

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from local.app_process import AppProcess, running_app
from tests.plant import STORES, Plant

# Events come several times a second; writing back begins when the longest outage is over.
_PATIENCE_SECONDS = {"scorer": 10.0, "drainer": 60.0}
_LOOK_SECONDS = {"scorer": 0.002, "drainer": 0.05}
# As on Azure, where events and timers run in processes of their own: what each leaves to the other.
_OTHERS_WORK = {"scorer": "drain_spill", "drainer": "score_events"}
ROLES = tuple(_OTHERS_WORK)


@dataclass(frozen=True, slots=True)
class Kill:
    """Which process was killed, and how much work it had just before: events, or files."""

    role: str
    work: int


@dataclass(slots=True)
class KilledApp:
    """A process that scores beside one that drains; either may be killed while the other is."""

    plant: Plant
    folder: Path
    ended: threading.Event
    kills: list[Kill] = field(default_factory=list)
    _running: dict[str, ExitStack] = field(default_factory=dict)
    _apps: dict[str, AppProcess] = field(default_factory=dict)

    def start(self) -> None:
        """Start both on what is there."""
        for role in ROLES:
            self._start(role)

    def _start(self, role: str) -> None:
        """Start one on what its predecessor left."""
        log = self.folder / f"app-{len(self.kills)}-{role}.log"
        left_out = {f"AzureWebJobs.{_OTHERS_WORK[role]}.Disabled": "true"}
        app = running_app(self.plant.environment | left_out, log, port=0)
        stack = self._running[role] = ExitStack()
        self._apps[role] = stack.enter_context(app)

    def kill(self, role: str) -> None:
        """Kill one at work: between two bursts, or two outages, there is nothing to disturb."""
        patience = time.monotonic() + _PATIENCE_SECONDS[role]
        before = self.plant.waiting()
        while not (work := _work(role, before, after := self.plant.waiting())):
            if time.monotonic() > patience:
                break
            before = after
            self.ended.wait(_LOOK_SECONDS[role])
        process = self._apps[role].process
        process.kill()
        process.wait()
        self._running[role].close()
        self.kills.append(Kill(role, work))
        self._start(role)

    def check(self) -> None:
        """Raise where one ended by itself."""
        for app in self._apps.values():
            app.check()

    def stop(self) -> None:
        """End both, and wait."""
        for stack in self._running.values():
            stack.close()

    def n_logged(self, *texts: str) -> int:
        """Count lines of their logs that hold all texts."""
        logs = sorted(self.folder.glob("app-*.log"))
        lines = (line for log in logs for line in log.read_text().splitlines())
        return sum(all(text in line for text in texts) for line in lines)


def _work(role: str, before: dict[str, int], after: dict[str, int]) -> int:
    """Count what one has in hand: events, or files of the stores that files are removed of."""
    if role == "scorer":
        return after["events"]
    return sum(after[name] for name in STORES if after[name] < before[name])
