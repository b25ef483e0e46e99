"""Tests of replay.smoke.stores: the app's stores, read from outside."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs

import numpy as np
import pytest
from msgspec import structs

from replay.smoke.reach import reach
from scoring.dead_letters import CONTAINER, DeadLetters
from scoring.settings import load_settings
from scoring.storage import FolderStorage
from tests.cosmos_server import running_cosmos
from tests.deployments import deployed
from tests.event_batches import event_batch
from tests.http_double import Answer, HttpDouble, Request
from tests.influxd_server import TOKEN, RealInflux
from tests.small_models import FEATURES, publish, small_model
from tests.smoke_runs import LocalApp, Ran, app_with_model, smoke
from training.estimators import FitOptions
from training.fitting import Artifact, fit

POINT = re.compile(
    r"anomaly_score,sensor_id=(?P<sensor_id>[^,]+),model=(?P<model>\S+) score=(?P<score>[^,]+),"
    r'.*is_anomaly=(?P<is_anomaly>true|false),model_version="(?P<model_version>[^"]*)".* \d+'
)


class KeepingInflux:
    """Keeps the points that it is sent, and answers the one kind of query that is asked."""

    def __init__(self) -> None:
        self.points: list[dict[str, str]] = []

    def respond(self, request: Request) -> Answer:
        """Take a write, or answer a query."""
        if request.path != "/query":
            found = map(POINT.fullmatch, request.text.splitlines())
            self.points += [match.groupdict() for match in found if match]
            return Answer()
        query = parse_qs(request.text)["q"][0]
        prefix = re.sub(r"\\", "", query.split("/^")[1].split("/")[0])
        series = [self._series(one) for one in self.points if one["sensor_id"].startswith(prefix)]
        return Answer(200, body=json.dumps({"results": [{"series": series}]}).encode())

    def _series(self, point: dict[str, str]) -> dict[str, object]:
        values = [0, float(point["score"]), point["is_anomaly"] == "true", point["model_version"]]
        return {
            "tags": {"sensor_id": point["sensor_id"], "model": point["model"]},
            "columns": ["time", "score", "is_anomaly", "model_version"],
            "values": [values],
        }


@contextmanager
def influx(kind: str, folder: Path) -> Iterator[HttpDouble]:
    """Run an InfluxDB."""
    if kind == "double":
        with HttpDouble(KeepingInflux().respond).running() as server:
            yield server
    else:
        with RealInflux(folder).running() as server:
            yield server


def wide_model() -> Artifact:
    """Fit a model to which few of the known events are anomalies."""
    X = np.random.default_rng(0).normal(20.0, 6.0, (400, len(FEATURES)))
    return fit(X, FEATURES, FitOptions(contamination=0.01), name="default", source="test")


def influx_settings(url: str, token: str = TOKEN) -> dict[str, str]:
    """Name a server."""
    settings = {"URL": url, "ORG": "plant", "BUCKET": RealInflux.BUCKET, "TOKEN": token}
    return {f"INFLUXDB_{name}": value for name, value in settings.items()}


Check = Callable[..., Ran]


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Check:
    """Return a function that checks an app, with changes to its own settings."""

    def ran(app: LocalApp, *arguments: str, **changes: str) -> Ran:
        return smoke(monkeypatch, capsys, app.url, {**app.settings, **changes}, *arguments)

    return ran


@pytest.mark.parametrize("kind", ["double", "influxd"])
def test_an_app_with_influxdb_passes(kind: str, tmp_path: Path, check: Check) -> None:
    """Its points are read by InfluxQL; one token must be able to read."""
    with (
        influx(kind, tmp_path) as server,
        app_with_model(tmp_path, **influx_settings(server.url)) as app,
    ):
        found = check(app)
        assert found.code == 0, found.out
        assert found.line("stored in influxdb") == "97 readings 97 ok"
        assert found.line("scores in influxdb") == "97 as POST score gave them 97 ok"
        assert found.out.endswith("smoke: ok\n")


def test_an_influxdb_that_loses_a_point_is_found(tmp_path: Path, check: Check) -> None:
    """By the sensor's name."""
    store = KeepingInflux()

    def losing(request: Request) -> Answer:
        answer = store.respond(request)
        store.points = [one for one in store.points if not one["sensor_id"].endswith("-7")]
        return answer

    with (
        HttpDouble(losing).running() as server,
        app_with_model(tmp_path, **influx_settings(server.url)) as app,
    ):
        found = check(app, "--wait", "3")
    assert found.code == 1
    assert found.line("stored in influxdb") == "97 readings 96 WRONG"


def test_a_token_that_may_not_read_is_no_fault_of_the_app(tmp_path: Path, check: Check) -> None:
    """The app's own token may only write: that is said, and health's counts are taken instead."""

    def write_only(request: Request) -> Answer:
        return Answer(401) if request.path == "/query" else Answer()

    with (
        HttpDouble(write_only).running() as server,
        app_with_model(tmp_path, **influx_settings(server.url)) as app,
    ):
        found = check(app, "--wait", "1")
    assert found.line("stored in influxdb") == "not read note"
    assert "answered 401" in found.advice("stored in influxdb")
    assert "health: scored" in found.out
    assert not found.out.endswith("smoke: ok\n")


def test_another_token_for_reading_can_be_named(tmp_path: Path, check: Check) -> None:
    """By the name of a variable, so that it stands on no command line."""
    store, tokens = KeepingInflux(), set()

    def noting(request: Request) -> Answer:
        if request.path == "/query":
            tokens.add(request.headers["Authorization"])
        return store.respond(request)

    with (
        HttpDouble(noting).running() as server,
        app_with_model(tmp_path, **influx_settings(server.url)) as app,
    ):
        found = check(app, "--influxdb-token-env", "READER", READER="for-reading")
    assert found.code == 0, found.out
    assert tokens == {"Token for-reading"}


def test_a_store_that_is_down_shows_in_health(tmp_path: Path, check: Check) -> None:
    """What is scored waits in the spill; that is wrong after a deployment."""
    with (
        HttpDouble(lambda _: Answer(503)).running() as server,
        app_with_model(tmp_path, **influx_settings(server.url)) as app,
    ):
        found = check(app, "--wait", "8")
    assert found.code == 1
    assert found.line("health: sink:influxdb") == "ok degraded WRONG"
    assert "waits in the spill" in found.advice("health: sink:influxdb")
    assert "health: rejected" not in found.out  # the dead letters were read


@pytest.mark.parametrize("write", ["all", "anomalies"])
def test_an_app_with_cosmos_passes(tmp_path: Path, check: Check, write: str) -> None:
    """All readings, or the anomalies among them where the app writes no others."""
    with running_cosmos() as server:
        settings = {"COSMOS_CONNECTION_STRING": server.connection_string, "COSMOS_WRITE": write}
        with app_with_model(tmp_path, wide_model(), **settings) as app:
            found = check(app)
    assert found.code == 0, found.out
    n_anomalies = int(found.out.split(" anomalies")[0].split()[-1])
    assert 7 <= n_anomalies < 20  # the far-off ones, and few others
    n = 97 if write == "all" else n_anomalies
    assert found.line("stored in cosmos") == f"{n} readings {n} ok"


def test_an_app_without_anomalies_is_judged_by_its_counts(tmp_path: Path, check: Check) -> None:
    """Where Cosmos DB must hold nothing, looking into it proves nothing."""
    artifact = small_model()
    mild = replace(artifact, manifest=structs.replace(artifact.manifest, threshold=-9.0))
    with running_cosmos() as server:
        settings = {
            "COSMOS_CONNECTION_STRING": server.connection_string,
            "COSMOS_WRITE": "anomalies",
        }
        with app_with_model(tmp_path, mild, **settings) as app:
            found = check(app, "--wait", "1")
    assert found.line("stored in cosmos") == "0 readings 0 note"
    assert "health: scored" in found.out
    assert not found.out.endswith("smoke: ok\n")


@pytest.mark.parametrize(
    ("sinks", "own", "only_anomalies"),
    [
        (["influxdb", "cosmos"], {}, True),
        (["cosmos"], {}, False),
        (["cosmos"], {"INFLUXDB": "on"}, False),
        (["influxdb", "cosmos"], {"COSMOS_WRITE": "all"}, False),
        (["cosmos"], {"COSMOS_WRITE": "anomalies"}, True),
    ],
    ids=["with influxdb", "alone", "influxdb only here", "all is set", "anomalies is set"],
)
def test_what_cosmos_must_hold_follows_from_the_apps_stores(
    sinks: list[str], own: dict[str, str], *, only_anomalies: bool
) -> None:
    """Whoever runs it need not have the app's InfluxDB at hand; what is set here counts."""
    environ = {"COSMOS_ENDPOINT": "https://plant.documents.azure.com:443/", **own}
    if environ.pop("INFLUXDB", ""):
        environ |= influx_settings("http://127.0.0.1:8086")
    is_write_set = "COSMOS_WRITE" in own
    settings = load_settings(environ)
    found = reach(settings, sinks, "", is_here=False, is_write_set=is_write_set)
    (cosmos,) = (one for one in found.stores if one.name == "cosmos")
    assert cosmos.only_anomalies is only_anomalies


def test_an_app_with_both_stores_passes_with_one_of_them_at_hand(
    tmp_path: Path, check: Check
) -> None:
    """As docs/deploy.md says: `COSMOS_ENDPOINT` alone is exported."""
    with running_cosmos() as server, HttpDouble(KeepingInflux().respond).running() as influxdb:
        cosmos = {"COSMOS_CONNECTION_STRING": server.connection_string}
        everything = {**cosmos, **influx_settings(influxdb.url)}
        with app_with_model(tmp_path, wide_model(), **everything) as app:
            found = check(app, **dict.fromkeys(influx_settings(""), ""))
    assert found.code == 0, found.out
    assert found.line("stored in influxdb") == "not read note"
    n_anomalies = int(found.out.split(" anomalies")[0].split()[-1])
    assert found.line("stored in cosmos") == f"{n_anomalies} readings {n_anomalies} ok"
    assert 0 < n_anomalies < 97


def test_no_store_of_another_machine_is_taken_for_the_apps(tmp_path: Path) -> None:
    """A folder here says nothing about an app elsewhere."""
    settings = load_settings({"DATA_DIR": str(tmp_path)})
    found = reach(settings, ["sqlite"], "", is_here=False)
    assert (found.stores, found.letters) == ((), None)
    assert [note.name for note in found.notes] == ["stored in sqlite", "dead letters"]
    assert len(reach(settings, ["sqlite"], "", is_here=True).stores) == 1


def test_letters_written_before_are_not_read(tmp_path: Path) -> None:
    """An app may keep very many."""
    with deployed(tmp_path) as deployment:
        publish(deployment.models, small_model())
        deployment.app.delivery.deliver(event_batch([b"?"]))
    letters = DeadLetters(FolderStorage(tmp_path).container(CONTAINER))
    now = datetime.now(UTC)
    assert len(list(letters.files(now - timedelta(hours=1)))) == 1
    assert list(letters.files(now + timedelta(hours=1))) == []
