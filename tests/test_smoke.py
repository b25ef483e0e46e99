"""Tests of ``python -m replay smoke`` on the local app: each fault is found, and named."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from local.app_process import running_app
from replay.smoke import procedure, reach
from scoring.app import SCORES_FILE
from scoring.letters import DeadLetter
from scoring.sinks.sqlite import open_scores
from tests.event_hubs_double import EventHubsDouble
from tests.http_double import Answer, HttpDouble, Request, answering
from tests.smoke_runs import LocalApp, Ran, app_with_model, smoke

Run = Callable[..., Ran]
HEALTHY = {
    "status": "ok",
    "parts": {"settings": {"state": "ok"}, "sink:influxdb": {"state": "ok"}},
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalApp]:
    """Run one app with SQLite for the module."""
    with app_with_model(tmp_path_factory.mktemp("app")) as running:
        open_scores(running.data_dir / SCORES_FILE).close()
        yield running


@pytest.fixture
def run(app: LocalApp, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that checks the app with its own settings."""

    def ran(*arguments: str) -> Ran:
        return smoke(monkeypatch, capsys, app.url, app.settings, *arguments)

    return ran


@pytest.fixture
def run_at(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that checks any address."""

    def ran(url: str, environment: Mapping[str, str], *arguments: str) -> Ran:
        return smoke(monkeypatch, capsys, url, environment, *arguments)

    return ran


@contextmanager
def trigger(app: LocalApp, text: str) -> Iterator[None]:
    """Let the store do this to the seventh reading of each run, for the length of a with block."""
    path = app.data_dir / SCORES_FILE
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        connection.execute(f"CREATE TRIGGER fault {text}")
        connection.commit()
        try:
            yield
        finally:
            connection.execute("DROP TRIGGER fault")
            connection.commit()


SEVENTH = "INSERT ON scores WHEN NEW.sensor_id GLOB 'smoke-*-7' BEGIN"


def test_a_sound_app_passes(run: Run) -> None:
    """Every reading once and alike, every bad event a dead letter, exit code 0."""
    found = run()
    assert found.code == 0, found.out
    assert found.out.endswith("smoke: ok\n")
    assert found.line("events sent") == "100 100 ok"
    assert found.line("stored in sqlite") == "97 readings 97 ok"
    assert found.line("nothing else in sqlite") == "0 other rows 0 ok"
    assert found.line("scores in sqlite") == "97 as POST score gave them 97 ok"
    assert found.out.count("bad-") == 3
    assert "WRONG" not in found.out
    assert "note" not in found.out


def test_its_readings_are_in_the_store_under_the_name_that_it_says(app: LocalApp, run: Run) -> None:
    """So that they can be found, and told from a plant's own."""
    said = run().out
    name = said.split("as sensors ")[1].split("*")[0]
    with closing(sqlite3.connect(app.data_dir / SCORES_FILE)) as connection:
        query = "SELECT count(*) FROM scores WHERE sensor_id GLOB ?"
        assert connection.execute(query, [f"{name}*"]).fetchone() == (97,)


def test_a_reading_that_the_store_loses_is_named(app: LocalApp, run: Run) -> None:
    """With where to look."""
    with trigger(app, f"BEFORE {SEVENTH} SELECT RAISE(IGNORE); END"):
        found = run("--wait", "3")
    assert found.code == 1
    assert found.line("stored in sqlite") == "97 readings 96 WRONG"
    assert "-7. Look at health's sink:sqlite" in found.advice("stored in sqlite")
    assert found.line("scores in sqlite").endswith("96 ok")
    assert found.out.endswith("smoke: 1 wrong\n")


@pytest.mark.parametrize("change", ["score = score + 0.000001", "is_anomaly = NOT is_anomaly"])
def test_a_score_that_the_store_changes_is_named(app: LocalApp, run: Run, change: str) -> None:
    """The value as well as the decision."""
    update = f"UPDATE scores SET {change} WHERE sensor_id = NEW.sensor_id"  # noqa: S608  # ours
    with trigger(app, f"AFTER {SEVENTH} {update}; END"):
        found = run()
    assert found.code == 1
    assert found.line("scores in sqlite") == "97 as POST score gave them 96 WRONG"
    assert "-7." in found.advice("scores in sqlite")


def test_a_reading_that_is_there_twice_is_named(app: LocalApp, run: Run) -> None:
    """Under another time, as where two apps read one hub with other settings."""
    columns = "model, sensor_id, model_version, score, features, filled, partition"
    columns += ", sequence_number, reading_index"
    values = ", ".join(f"NEW.{name.strip()}" for name in columns.split(","))
    copy = f"INSERT INTO scores (event_time, {columns})"
    copy += f" VALUES (NEW.event_time + 1, {values})"
    with trigger(app, f"AFTER {SEVENTH} {copy}; END"):
        found = run()
    assert found.code == 1
    assert found.line("nothing else in sqlite") == "0 other rows 1 WRONG"


def test_a_missing_dead_letter_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason that it should have."""

    def without_one(*arguments: object) -> list[DeadLetter]:
        letters = reach.recent_letters(*arguments)  # type: ignore[arg-type]  # passed on
        return [one for one in letters if one.reason != "bad_event_time"]

    monkeypatch.setattr(procedure, "recent_letters", without_one)
    found = run("--wait", "3")
    assert found.code == 1
    assert [line.split()[-3:] for line in found.out.splitlines() if "-bad-2 " in line] == [
        ["bad_event_time", "missing", "WRONG"]
    ]
    assert "the container dead-letter" in found.out


def test_a_hub_that_the_app_does_not_read_is_named(run: Run) -> None:
    """The local app takes no events for it at all."""
    found = run("--hub", "other")
    assert found.code == 1
    assert "answered 404" in found.line("events sent")
    assert "is HUB its event hub" in found.advice("events sent")


def test_events_that_go_elsewhere_are_missed(app: LocalApp, run_at: Run) -> None:
    """A real hub took them all, and this app never saw one."""
    with EventHubsDouble("sensor-features") as hub:
        environment = {**app.settings, "EventHubConnection": hub.connection_string}
        found = run_at(app.url, environment, "--wait", "1")
        assert len(hub.received) == 100
    assert found.code == 1
    assert found.line("events sent") == "100 100 ok"
    assert found.line("stored in sqlite") == "97 readings 0 WRONG"
    assert "whether HUB is the app's EVENT_HUB_NAME" in found.advice("stored in sqlite")


def test_where_no_store_can_be_read_it_says_so_and_goes_by_health(
    app: LocalApp, run_at: Run, tmp_path: Path
) -> None:
    """Passing then proves little, and the last line says that."""
    found = run_at(app.url, {"DATA_DIR": str(tmp_path / "other")}, "--wait", "60")
    assert found.code == 0, found.out
    assert found.line("stored in sqlite") == "not read note"
    assert "set DATA_DIR" in found.advice("stored in sqlite")
    assert "readings flow, and no more" in found.advice("health: received")
    assert found.out.endswith("smoke: nothing wrong is seen, but no store was read from here\n")


def test_counts_that_do_not_rise_are_wrong(app: LocalApp, run_at: Run, tmp_path: Path) -> None:
    """By health alone as well, events that went elsewhere are missed."""
    with EventHubsDouble("sensor-features") as hub:
        environment = {"DATA_DIR": str(tmp_path), "EventHubConnection": hub.connection_string}
        environment["DATA_DIR"] += "/other"
        found = run_at(app.url, environment, "--wait", "1")
    assert found.code == 1
    assert found.line("health: scored").endswith("WRONG")


def test_an_app_that_is_down_is_told_at_once(run_at: Run) -> None:
    """Nothing is sent."""
    found = run_at("http://127.0.0.1:9", {})
    assert found.code == 1
    assert "no answer" in found.line("GET /api/health")
    assert "events sent" not in found.out


def test_an_app_without_a_model_is_told_with_the_remedy(run_at: Run, tmp_path: Path) -> None:
    """Nothing is sent: it would wait on the hub."""
    settings = {"DATA_DIR": str(tmp_path / "data")}
    with running_app(settings, tmp_path / "log", port=0) as running:
        found = run_at(running.url, settings)
    assert found.code == 1
    assert found.line("health: model:default") == "ok unavailable WRONG"
    assert "python -m training publish" in found.advice("health: model:default")
    assert "events sent" not in found.out


@pytest.mark.parametrize(
    ("name", "part", "words"),
    [
        ("model:default", {"state": "unavailable", "found": "loading"}, "loading its first model"),
        ("spill", {"state": "unknown"}, "counting what waits"),
    ],
    ids=["loading", "unknown"],
)
def test_what_passes_by_itself_is_told_to_run_it_again(
    run_at: Run, name: str, part: dict[str, str], words: str
) -> None:
    """Nothing is to be mended then."""
    health = {"status": "unavailable", "parts": {name: part}}
    with answering(Answer(503, body=json.dumps(health).encode())).running() as app:
        found = run_at(app.url, {})
    assert words in found.advice(f"health: {name}")
    assert "run this again" in found.advice(f"health: {name}")


@pytest.mark.parametrize(
    ("status", "words"), [(401, "the key is none"), (403, "network"), (404, "deployed")]
)
def test_an_app_that_denies_is_told_with_what_to_do(run_at: Run, status: int, words: str) -> None:
    """The key goes in a header, and is never printed."""
    keys = []

    def respond(request: Request) -> Answer:
        if request.path == "/api/health":
            return Answer(200, body=json.dumps(HEALTHY).encode())
        keys.append(request.headers["x-functions-key"])
        return Answer(status)

    with HttpDouble(respond).running() as app:
        found = run_at(app.url, {"SMOKE_KEY": "very-secret"})
    assert keys == ["very-secret"]
    assert found.code == 1
    assert words in found.advice("POST /api/score")
    assert "very-secret" not in found.out


def test_a_model_that_takes_no_such_sensor_is_told(run_at: Run) -> None:
    """With the setting that routes sensors."""
    rejected = [{"index": 0, "reason": "no_route", "field": None, "message": ""}]

    def respond(request: Request) -> Answer:
        if request.path == "/api/health":
            return Answer(200, body=json.dumps(HEALTHY).encode())
        return Answer(422, body=json.dumps({"scored": [], "rejected": rejected}).encode())

    with HttpDouble(respond).running() as app:
        found = run_at(app.url, {})
    assert found.code == 1
    assert "MODEL_ROUTES" in found.advice("POST /api/score")


def test_an_answer_that_is_not_the_apps_is_told(run_at: Run) -> None:
    """Such as the page of another site, or of a Function App without functions."""
    with answering(Answer(404, body=b"<html>")).running() as app:
        found = run_at(app.url, {})
    assert found.code == 1
    assert found.line("GET /api/health") == "200 404, no health WRONG"
