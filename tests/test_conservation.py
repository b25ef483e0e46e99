"""Nothing is lost and nothing counted twice while processes are killed and a store goes away."""

import json
import os
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from local.app_process import AppProcess, running_app
from local.log import EventLog, LogEvent, log_path
from scoring.dead_letters import DeadLetters
from scoring.registry import Registry
from scoring.spill import CONTAINER, Spill
from scoring.storage import FolderStorage
from tests.influxdb_double import Answer, InfluxDouble, Request
from tests.small_models import FEATURES, normal_readings, small_model

# `make soak` takes five times as many readings and twice the kills.
_SOAK = bool(os.environ.get("SOAK"))
N_READINGS = 200_000 if _SOAK else 40_000
_BAD_EVERY = 200  # 0.5 %
_TWICE_EVERY = 1_000  # 0.1 %
_KILLS = 6 if _SOAK else 3
_SECONDS = 400.0 if _SOAK else 90.0
_LATENCY_S = 0.1


@dataclass
class Store:
    """A store over HTTP that keeps one line an identity, and can be cut off."""

    points: dict[str, str] = field(default_factory=dict)
    mode: str = "up"
    silent: threading.Event = field(default_factory=threading.Event)

    def answer(self, request: Request) -> Answer:
        """Take a write, or fail as it is told; slowly, so that kills meet work."""
        time.sleep(_LATENCY_S)
        if self.mode == "silent":
            self.silent.wait(20)
        if self.mode != "up":
            return Answer(503)
        for line in request.body.split("\n"):
            head, _, time_ns = line.rpartition(" ")
            self.points[f"{head.split(' ')[0]} {time_ns}"] = head
        return Answer()


def bodies() -> Iterator[tuple[str, bytes, bool]]:
    """Make readings of twenty sensors: key, body, and whether it is good."""
    values = normal_readings(N_READINGS).tolist()
    for number, row in enumerate(values):
        sensor = f"pump-{number % 20}"
        reading = {"sensor_id": sensor, "timestamp": 1_777_636_800_000 + number}
        if number % _BAD_EVERY == 7:
            yield sensor, json.dumps(reading).encode(), False
            continue
        body = json.dumps(reading | dict(zip(FEATURES, row, strict=True))).encode()
        for _ in range(2 if number % _TWICE_EVERY == 9 else 1):
            yield sensor, body, True


def wait_until_drained(log: EventLog, spill: Spill, deadline: float) -> None:
    """Wait until every event is done and nothing is spilled."""
    while log.backlog("$Default") or any(True for _ in spill.waiting("influxdb")):
        assert time.monotonic() < deadline, "the app did not catch up"
        time.sleep(0.2)


def cut_and_kill(
    app: AppProcess, store: Store, log: EventLog, chance: random.Random, number: int
) -> None:
    """Cut the store off in one way or another once work has begun, then kill the process."""
    waiting = log.backlog("$Default")
    while log.backlog("$Default") == waiting:
        time.sleep(0.005)
    store.mode = ("down", "silent")[number % 2]
    time.sleep(chance.uniform(1.0, 3.0))
    app.process.kill()
    app.process.wait()
    store.silent.set()
    store.mode = "up"


@pytest.mark.timeout(2 * _SECONDS)
def test_every_reading_is_stored_once_or_kept_through_kills_and_outages(tmp_path: Path) -> None:
    """Every distinct good reading is one point, every bad one a dead letter, nothing else."""
    models = FolderStorage(tmp_path).container("models")
    artifact = small_model()
    Registry(models).publish(artifact.manifest, artifact.data)
    store, chance = Store(), random.Random(11)
    spill = Spill(FolderStorage(tmp_path).container(CONTAINER), 1_000, lambda: None)  # type: ignore[arg-type,return-value]  # only read from
    sent = list(bodies())
    deadline = time.monotonic() + _SECONDS
    with (
        InfluxDouble(store.answer).running() as server,
        EventLog(log_path(tmp_path, "sensor-features")) as log,
    ):
        environment = {
            "DATA_DIR": str(tmp_path),
            "INFLUXDB_URL": server.url,
            "INFLUXDB_ORG": "o",
            "INFLUXDB_BUCKET": "b",
            "INFLUXDB_TOKEN": "t",
            "SPILL_DRAIN_SCHEDULE": "* * * * * *",
        }
        disturbed = 0
        parts = np.array_split(np.arange(len(sent)), _KILLS + 1)
        for number, part in enumerate(parts):
            log.append(LogEvent(sent[i][1], sent[i][0]) for i in part.tolist())
            with running_app(environment, tmp_path / f"app-{number}.log", port=0) as app:
                if number < _KILLS:
                    cut_and_kill(app, store, log, chance, number)
                    disturbed += log.backlog("$Default") > 0 or any(spill.waiting("influxdb"))
                else:
                    wait_until_drained(log, spill, deadline)
    assert disturbed == _KILLS, "the kills met no work"
    good = {body for _, body, is_good in sent if is_good}
    bad = [body for _, body, is_good in sent if not is_good]
    assert len(store.points) == len(good)
    times = {int(key.rpartition(" ")[2]) // 1_000_000 for key in store.points}
    assert times == {json.loads(body)["timestamp"] for body in good}
    letters = list(DeadLetters(FolderStorage(tmp_path).container("dead-letter")).read())
    assert sorted(letter.raw_bytes() for letter in letters) == sorted(bad)
