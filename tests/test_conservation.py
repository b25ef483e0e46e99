"""Nothing is lost and nothing counted twice while processes are killed and stores go away."""

import io
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import pytest

from local.log import EventLog, LogEvent
from scoring import dead_letters
from scoring.dead_letters import DeadLetters
from scoring.registry import Registry
from tests.cut_off import CutOffProxy
from tests.disturbances import CUTS, Disturbances, Timeline, plan
from tests.fleet_readings import Fleet, fleet
from tests.influxd_server import RealInflux, is_influxd_expected
from tests.keeping_influx import KeepingInflux
from tests.killed_app import ROLES, KilledApp
from tests.plant import STORES, Influx, Plant, plant
from tests.small_models import small_model
from tests.stored_scores import StoredScore

# `make soak` takes five times as many readings, twice the kills and longer outages.
_SOAK = bool(os.environ.get("SOAK"))
SEED = int(os.environ.get("SOAK_SEED", "11"))
N_READINGS = 200_000 if _SOAK else 40_000
_KILLS = 6 if _SOAK else 4
_SECONDS = 240.0 if _SOAK else 36.0  # of disturbances
_CATCH_UP_SECONDS = 300.0 if _SOAK else 90.0
_BURSTS_A_SECOND = 4
_LOOK_SECONDS = 0.5  # an outage lasts for longer, and its files stay for longer yet
_PATIENCE_SECONDS = 10.0  # for a request to cut off; the app starts in less
# In the soak the spill becomes full in an outage of both stores, so that batches are held.
_SPILL_MAX_MB = 10 if _SOAK else 1_024
_DRAINED = "spilled readings are written back"


@dataclass(frozen=True, slots=True)
class Clock:
    """The time since the beginning, which ends early where something failed."""

    ended: threading.Event
    began: float = field(default_factory=time.monotonic)

    def wait_until(self, at_s: float) -> bool:
        """Wait; false where all is over."""
        return not self.ended.wait(max(self.began + at_s - time.monotonic(), 0.0))


def follow(clock: Clock, timeline: Timeline, target: object) -> None:
    """Do to the target what happens to it, when it does."""
    for moment in timeline:
        if not clock.wait_until(moment.at_s):
            return
        getattr(target, moment.act)()


def kill(clock: Clock, timeline: Timeline, app: KilledApp, role: str) -> None:
    """Kill one process again and again, whatever the other one waits for."""
    for moment in timeline:
        if not clock.wait_until(moment.at_s):
            return
        app.kill(role)


def cut_off(clock: Clock, timeline: Timeline, proxy: CutOffProxy) -> None:
    """Cut a store off amid its requests; where it has to be waited for one, all that follows is."""
    late = 0.0
    for moment in timeline:
        if not clock.wait_until(moment.at_s + late):
            return
        if moment.act == "refuse":
            late += proxy.wait_for_request(_PATIENCE_SECONDS)
        getattr(proxy, moment.act)()


def feed(clock: Clock, log: EventLog, sent: Sequence[tuple[str, bytes]]) -> None:
    """Send in bursts of random sizes, some of a single reading and some of thousands."""
    chance = random.Random(SEED)
    n_bursts = int(_SECONDS * _BURSTS_A_SECOND)
    ends = sorted(chance.randrange(len(sent)) for _ in range(n_bursts - 1))
    start = 0
    for number, end in enumerate([*ends, len(sent)], 1):
        log.append(LogEvent(body, sensor) for sensor, body in sent[start:end])
        start = end
        if not clock.wait_until(number / _BURSTS_A_SECOND):
            return


def watch(site: Plant, ended: threading.Event) -> dict[str, int]:
    """Return how many files of each store the spill held at most."""
    most = dict.fromkeys(STORES, 0)
    while not ended.wait(_LOOK_SECONDS):
        waiting = site.waiting()
        most = {name: max(n, waiting[name]) for name, n in most.items()}
    return most


def disturb(site: Plant, app: KilledApp, work: Fleet, what: Disturbances) -> None:
    """Send everything while all that is planned happens."""
    clock = Clock(app.ended)
    tasks: list[Callable[[], None]] = [
        partial(feed, clock, site.log, work.sent),
        *(
            partial(kill, clock, what.app[place :: len(ROLES)], app, role)
            for place, role in enumerate(ROLES)
        ),
        partial(follow, clock, what.influxdb, site.influx),
        *(partial(cut_off, clock, what.cuts[name], site.proxies[name]) for name in STORES),
    ]
    with ThreadPoolExecutor(len(tasks)) as pool:
        futures: list[Future[None]] = [pool.submit(task) for task in tasks]
        wait(futures, return_when=FIRST_EXCEPTION)
        app.ended.set()
    for future in futures:
        future.result()


def wait_until_caught_up(site: Plant, app: KilledApp) -> None:
    """Wait until every event is done and nothing is spilled."""
    deadline = time.monotonic() + _CATCH_UP_SECONDS
    while any(site.waiting().values()):
        app.check()
        assert time.monotonic() < deadline, f"the app did not catch up: {site.waiting()}"
        time.sleep(0.2)


def assert_each_once(name: str, found: Sequence[StoredScore], work: Fleet) -> None:
    """Every distinct good reading, once, with scikit-learn's own score, and nothing else."""
    counts = Counter((one.sensor_id, one.time_ns) for one in found)
    expected = set(work.good)
    lost, strange = expected - counts.keys(), counts.keys() - expected
    assert not lost, f"{name} lost {len(lost)}, such as {min(lost)}"
    assert not strange, f"{name} has {len(strange)} that nobody sent, such as {min(strange)}"
    twice = [identity for identity, n in counts.items() if n > 1]
    assert not twice, f"{name} has {len(twice)} more than once, such as {twice[0]}"
    by_identity = {(one.sensor_id, one.time_ns): one.score for one in found}
    estimator = joblib.load(io.BytesIO(small_model().data))
    scores = [by_identity[identity] for identity in work.good]
    np.testing.assert_array_equal(scores, estimator.decision_function(work.X))


def assert_conserved(site: Plant, work: Fleet) -> None:
    """Every good reading once in every sink, every bad one a dead letter, nothing else."""
    found = site.stored()
    for name in STORES:
        assert_each_once(name, found[name], work)
    assert sorted(found["influxdb"]) == sorted(found["cosmos"])
    letters = DeadLetters(site.storage.container(dead_letters.CONTAINER)).read()
    kept, bad = Counter(letter.raw_bytes() for letter in letters), Counter(work.bad)
    assert not bad - kept, f"lost letters: {(bad - kept).most_common(1)}"
    assert not kept - bad, f"letters that nobody sent, or twice: {(kept - bad).most_common(1)}"


@pytest.mark.timeout(_SECONDS + _CATCH_UP_SECONDS + 120)
@pytest.mark.parametrize(
    "kind", [RealInflux if is_influxd_expected() else KeepingInflux], ids=lambda kind: kind.__name__
)
def test_every_reading_is_stored_once_through_kills_and_outages(
    tmp_path: Path, kind: Callable[[Path], Influx]
) -> None:
    """In every sink, and with its own score; what is bad is a dead letter, and nothing else is."""
    began = time.monotonic()
    chance = random.Random(SEED)
    work, what = fleet(N_READINGS, chance), plan(chance, _SECONDS, _KILLS)
    with plant(tmp_path, kind(tmp_path / "influxdb"), _SPILL_MAX_MB) as site:
        artifact = small_model()
        Registry(site.storage.container("models")).publish(artifact.manifest, artifact.data)
        app = KilledApp(site, tmp_path, threading.Event())
        with ThreadPoolExecutor(1) as beside:
            try:
                app.start()
                most = beside.submit(watch, site, app.ended)
                disturb(site, app, work, what)
                print(f"sent after {time.monotonic() - began:.0f} s; waiting: {site.waiting()}")
                wait_until_caught_up(site, app)
            finally:
                app.ended.set()
                app.stop()
        print(f"caught up after {time.monotonic() - began:.0f} s")
        assert_conserved(site, work)
        tell(work, app, site, most.result(), time.monotonic() - began)
        for proxy in site.proxies.values():
            assert len(proxy.met) == CUTS
            assert any(proxy.met), "no cut met a request"
        assert_disturbed(app, most.result())


def inline_failures(app: KilledApp) -> dict[str, int]:
    """Count, by store, the batches that met its outage themselves and were spilled for it."""
    return {name: app.n_logged(f"sink {name}: ", "the batch is spilled") for name in STORES}


def assert_disturbed(app: KilledApp, most_spilled: Mapping[str, int]) -> None:
    """Else the run proves less than it says: each thing has happened, to each store."""
    assert len(app.kills) == _KILLS
    assert all(one.work for one in app.kills), f"a kill met no work: {app.kills}"
    assert {one.role for one in app.kills} == set(ROLES)
    assert all(inline_failures(app).values()), f"no batch met an outage: {inline_failures(app)}"
    # what was spilled and is no more was drained: nobody else removes it
    assert all(most_spilled.values()), f"nothing was spilled: {most_spilled}"
    assert app.n_logged(_DRAINED)
    if _SOAK:
        assert app.n_logged("SpillFullError"), "the spill was never full"


def tell(
    work: Fleet, app: KilledApp, site: Plant, most_spilled: Mapping[str, int], seconds: float
) -> None:
    """Print what was proved."""
    met = {name: proxy.met for name, proxy in site.proxies.items()}
    for number, one in enumerate(app.kills, 1):
        print(f"kill {number} met {one}")
    print(
        f"seed {SEED}: {len(work.good)} good readings ({work.n_twice} twice), {len(work.bad)} bad,"
        f" {len(app.kills)} kills, in {seconds:.0f} s; requests that cuts met {met};"
        f" failed writes {inline_failures(app)},"
        f" trials {app.n_logged('batches go on being spilled')},"
        f" drains {app.n_logged('what is spilled waits')};"
        f" files spilled at most {dict(most_spilled)};"
        f" spill full {app.n_logged('SpillFullError')} times; {app.n_logged(_DRAINED)} drains"
    )
