"""The whole app on a store of its own, as it would be built from settings."""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from scoring.app import SCORES_FILE, ScoringApp, build_app
from scoring.breaker import Breaker
from scoring.dead_letters import CONTAINER, DeadLetters
from scoring.letters import DeadLetter
from scoring.outlets import Outlet
from scoring.scored import Sink
from scoring.settings import load_settings
from scoring.sinks.cosmos import CosmosSink
from scoring.sinks.sqlite import SqliteSink
from scoring.storage import Container, open_storage


@dataclass(frozen=True, slots=True)
class Deployment:
    """An app, its hub and what it left in its stores.

    Parameters
    ----------
    app : ScoringApp
    data_dir : Path
    hub : str
        A name of its own: tests on Azurite share the container of dead letters.
    """

    app: ScoringApp
    data_dir: Path
    hub: str = field(default_factory=lambda: f"hub-{uuid4().hex}")

    @property
    def models(self) -> Container:
        """The container of the models."""
        settings = self.app.settings
        return open_storage(settings).container(settings.model_container_name)

    def letters(self) -> list[DeadLetter]:
        """Read the dead letters of this hub."""
        container = open_storage(self.app.settings).container(CONTAINER)
        return [letter for letter in DeadLetters(container).read() if letter.hub == self.hub]

    def rows(self) -> list[dict[str, Any]]:
        """Read the stored scores."""
        with closing(sqlite3.connect(self.data_dir / SCORES_FILE)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute("SELECT * FROM scores")]


def health(deployment: Deployment) -> tuple[int, str, dict[str, Any]]:
    """Ask for health: its HTTP status, the overall one, the parts."""
    response = deployment.app.http.health()
    found = json.loads(response.body())
    return response.status, found["status"], found["parts"]


def outlets(deployment: Deployment, *sinks: Sink) -> tuple[Outlet, ...]:
    """Put other sinks in front of the deployment's own spill."""
    spill = deployment.app.delivery.outlets[0].spill
    return tuple(Outlet(sink, Breaker(time.monotonic), spill) for sink in sinks)


@contextmanager
def deployed(data_dir: Path, **environ: str) -> Iterator[Deployment]:
    """Build the app from `environ`, with its data in `data_dir`."""
    app = build_app(load_settings({"DATA_DIR": str(data_dir)} | environ))
    try:
        yield Deployment(app, data_dir)
    finally:
        app.telemetry.stop()
        for sink in app.http.sinks:
            if isinstance(sink, SqliteSink | CosmosSink):
                sink.close()


def blob_settings(connection_string: str) -> dict[str, str]:
    """Set models to a container of their own on Blob Storage."""
    return {
        "STORAGE_CONNECTION_STRING": connection_string,
        "MODEL_CONTAINER_NAME": f"models-{uuid4().hex}",
    }
