"""Runs the app, kills it as a crash would, and starts it again."""

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from local.app_process import AppProcess, running_app
from tests.plant import GROUP, Plant

_PATIENCE_SECONDS = 10.0  # bursts come several times a second


@dataclass(slots=True)
class KilledApp:
    """The app, killed and started again; notes what waited at each kill."""

    plant: Plant
    folder: Path
    ended: threading.Event
    kills: list[dict[str, int]] = field(default_factory=list)
    _running: ExitStack = field(default_factory=ExitStack)
    _app: AppProcess | None = None

    def start(self) -> None:
        """Start it on what its predecessor left."""
        log = self.folder / f"app-{len(self.kills)}.log"
        self._app = self._running.enter_context(running_app(self.plant.environment, log, port=0))

    def kill(self) -> None:
        """Kill it at work: between two bursts of readings there is nothing to disturb."""
        assert self._app is not None
        patience = time.monotonic() + _PATIENCE_SECONDS
        while not self.plant.log.backlog(GROUP) and time.monotonic() < patience:
            self.ended.wait(0.002)
        self._app.process.kill()
        self._app.process.wait()
        self.stop()
        self.kills.append(self.plant.waiting())
        self.start()

    def check(self) -> None:
        """Raise where it ended by itself."""
        assert self._app is not None
        self._app.check()

    def stop(self) -> None:
        """End it, and wait."""
        self._running.close()

    def n_logged(self, text: str) -> int:
        """Count lines of its logs."""
        logs = sorted(self.folder.glob("app-*.log"))
        return sum(text in line for log in logs for line in log.read_text().splitlines())
