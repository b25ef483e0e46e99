"""The app in tests/fixture_app, run by `python -m local`."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from local.ingest import BATCH_TYPE
from local.log import EventLog, log_path
from tests.waiting import DEADLINE_S

ROOT = Path(__file__).parents[1]


class App:
    """The fixture app in a folder of its own, and the process that runs it."""

    def __init__(self, folder: Path) -> None:
        shutil.copytree(ROOT / "tests" / "fixture_app", folder, dirs_exist_ok=True)
        self.folder = folder
        self.records = folder / "records"
        self.records.mkdir()
        self.process: subprocess.Popen[str] | None = None
        self.lines: list[str] = []
        self.port = 0

    def spawn(self, *options: str, **variables: str) -> subprocess.Popen[str]:
        """Start a process; its log is in ``stderr``."""
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "RECORD_DIR": str(self.records),
            "KEPT_HUB": "kept",
            "DATA_DIR": str(self.folder / "data"),
            "AzureWebJobs.mute.Disabled": "true",
        }
        with (self.folder / "stderr").open("a") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "local", "--port", "0", *options],
                cwd=self.folder,
                env=environment | variables,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def start(self) -> None:
        """Start the app and wait until it listens."""
        self.process = self.spawn()
        assert self.process.stdout is not None
        self.lines = []
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if line.startswith("listening on "):
                self.port = int(line.rsplit(":", 1)[1])
                return
        raise AssertionError(self.log())

    def end(self, number: signal.Signals) -> int:
        """Send a signal and return the exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        status = self.process.wait(DEADLINE_S)
        if self.process.stdout:
            self.process.stdout.close()
        self.process = None
        return status

    def request(self, method: str, path: str, body: bytes = b"", **headers: str) -> Any:
        """Send a request; return the response and its body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def send(self, hub: str, texts: list[str], partition: int | None = None) -> None:
        """Post a batch and see that it was committed."""
        place = (
            f"/{hub}/messages" if partition is None else f"/{hub}/partitions/{partition}/messages"
        )
        events = [{"Body": text} for text in texts]
        if partition is None:
            events = [e | {"BrokerProperties": {"PartitionKey": e["Body"][:1]}} for e in events]
        response, _ = self.request(
            "POST", place, json.dumps(events).encode(), Content_Type=BATCH_TYPE
        )
        assert response.status == 201

    def recorded(self, name: str) -> list[Any]:
        """Return what the app wrote down, whole lines only."""
        path = self.records / name
        text = path.read_text() if path.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def batches(self, function: str) -> list[Any]:
        """Return the batches that a function was given, retries too."""
        return [batch for batch in self.recorded("batches") if batch["function"] == function]

    def bodies(self, function: str) -> list[str]:
        """Return the bodies that a function was given."""
        return [body for batch in self.batches(function) for body in batch["bodies"]]

    def steer(self, name: str, *, on: bool) -> None:
        """Let the functions fail or block, or no longer."""
        path = self.records / name
        path.touch() if on else path.unlink()

    def backlog(self, hub: str) -> int:
        """Return how many events are not checkpointed."""
        with EventLog(log_path(self.folder / "data", hub)) as log:
            return log.backlog("$Default")

    def log(self) -> str:
        """Return the log of all processes."""
        return (self.folder / "stderr").read_text()
