"""How fast a store gets its readings while the other one is down: `make outages`."""

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest

from bench.model import publish_model
from bench.one_core import cores
from scoring import spill
from scoring.app import build_app
from scoring.settings import load_settings
from scoring.storage import FolderStorage
from tests.influxd_server import RealInflux, required_influxd
from tests.outage_driver import EVENTS, batch
from tests.plant import STORES, Plant, plant

_WARM_S, _UP_S, _DOWN_S, _BACK_S = 5.0, 20.0, 90.0, 120.0
_MOST_LOST = 0.20
Fault = Literal["refuse", "fall_silent"]


def test_three_of_four_batches_have_no_anomaly(tmp_path: Path) -> None:
    """Else the rates would not show what a batch does of which a store keeps nothing."""
    publish_model(tmp_path, 100)
    app = build_app(load_settings({"DATA_DIR": str(tmp_path)}))
    app.delivery.cache.refresh()
    found = []
    for number in range(8):
        app.score_events(batch(number).decoded())
        found.append(app.delivery.ledger.totals()["anomalies"])
    assert [after > before for before, after in pairwise([0, *found])] == [True, *[False] * 3] * 2


@dataclass
class Driver:
    """The process that scores, and what it told."""

    process: "subprocess.Popen[str]"
    told: list[tuple[float, int, dict[str, int]]] = field(default_factory=list)

    def listen(self) -> None:
        """Keep what it tells, until its end."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            moment, done, stores = json.loads(line)
            self.told.append((moment, done, stores))

    def rates(self, start: float, end: float) -> list[float]:
        """Return the events a second of each interval between two moments; monotonic seconds."""
        told = [one for one in self.told if start <= one[0] <= end]
        return [
            (after[1] - before[1]) * EVENTS / (after[0] - before[0])
            for before, after in pairwise(told)
        ]

    def rate(self, start: float, end: float) -> float:
        """Return the events a second of a whole stretch of time, stalls and all."""
        done = [
            max((one[1] for one in self.told if one[0] <= at), default=0) for at in (start, end)
        ]
        return (done[1] - done[0]) * EVENTS / (end - start)

    def is_spilling(self, store: str) -> bool:
        """Tell whether the newest batches went to a store's spill."""
        before, after = (one[2].get(f"{store}:spilled", 0) for one in self.told[-2:])
        return after > before


@contextmanager
def driving(site: Plant, folder: Path) -> Iterator[Driver]:
    """Score in a process of its own, on a core of its own, for the length of a with block."""
    settings = site.environment | {"COSMOS_WRITE": "", "STORAGE_CONNECTION_STRING": ""}
    environ = dict(os.environ) | settings | {"DATA_DIR": str(folder)}
    command = [sys.executable, "-m", "tests.outage_driver", str(cores()[0])]
    with subprocess.Popen(
        command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        driver = Driver(process)
        listener = threading.Thread(target=driver.listen)
        listener.start()
        try:
            yield driver
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(30)
            listener.join()


def let_go_of_the_spill(folder: Path) -> None:
    """Delete what waits, so that the disk has room for the next outage."""
    container = FolderStorage(folder).container(spill.CONTAINER)
    for entry in list(container.list()):
        container.delete(entry.path)


def wait_until_back(driver: Driver, store: str) -> None:
    """Wait until the breaker noticed that a store is up again."""
    deadline = time.monotonic() + _BACK_S
    while len(driver.told) < 2 or driver.is_spilling(store):
        assert time.monotonic() < deadline, f"{store} is up, and nobody writes to it"
        time.sleep(1.0)


@pytest.mark.skipif(not os.environ.get("OUTAGES"), reason="minutes long: make outages")
@pytest.mark.timeout(1_200)
def test_an_outage_slows_the_healthy_store_by_less_than_a_fifth(tmp_path: Path) -> None:
    """Each store, refusing and silent, with the seconds in which the first batch finds out.

    The window is part of the figure: in a shorter outage those first seconds weigh more. Most
    batches have no anomaly, so that Cosmos DB, which keeps anomalies alone here, is not asked.
    """
    required_influxd()
    lost: dict[str, float] = {}
    with plant(tmp_path / "plant", RealInflux(tmp_path / "influxdb"), 20_000, 0.002) as site:
        os.sched_setaffinity(site.cosmos.process.pid, {cores()[-1]})
        folder = tmp_path / "app"
        publish_model(folder, 100)
        with driving(site, folder) as driver:
            for store in STORES:
                for fault in ("refuse", "fall_silent"):
                    wait_until_back(driver, store)
                    time.sleep(_WARM_S)
                    began = time.monotonic()
                    time.sleep(_UP_S)
                    cut = time.monotonic()
                    getattr(site.proxies[store], fault)()
                    time.sleep(_DOWN_S)
                    ended = time.monotonic()
                    site.proxies[store].restore()
                    before = statistics.median(driver.rates(began, cut))
                    whole = driver.rate(cut, ended) / before
                    steady = statistics.median(driver.rates(cut, ended)) / before
                    print(
                        f"{store} {fault}: {before:,.0f} events/s with both up; in the first"
                        f" {_DOWN_S:.0f} s of its outage the other one gets {whole:.2f} times that,"
                        f" {steady:.2f} times by the median of the seconds"
                    )
                    lost[f"{store} {fault}"] = 1 - whole
                    let_go_of_the_spill(folder)
    assert max(lost.values()) < _MOST_LOST, lost
