"""Tests of scoring.app: everything is built from the settings, once."""

import threading
from pathlib import Path

import pytest

from scoring import app as scoring_app
from scoring.app import build_app, get_app
from scoring.errors import SettingsError
from scoring.settings import load_settings
from scoring.spill import CONTAINER as SPILL
from scoring.storage import open_storage
from tests.deployments import Deployment, deployed
from tests.event_batches import body, event_batch, trigger_events
from tests.small_models import publish, publish_broken, small_model


@pytest.fixture
def built(tmp_path: Path) -> Deployment:
    """Build the app on a folder."""
    with deployed(tmp_path) as deployment:
        return deployment


def test_building_touches_neither_disk_nor_network(tmp_path: Path) -> None:
    """It is done while the first batch waits; addresses may be wrong without harm to indexing."""
    build_app(load_settings({"DATA_DIR": str(tmp_path / "data")}))
    blob = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;BlobEndpoint=http://127.0.0.1:1/a"
    build_app(load_settings({"STORAGE_CONNECTION_STRING": blob}))
    assert not (tmp_path / "data").exists()


def test_influxdb_takes_the_place_of_sqlite_where_it_is_set() -> None:
    """SQLite is the store of those who have set none."""
    environ = {f"INFLUXDB_{name}": "x" for name in ("ORG", "BUCKET", "TOKEN")}
    environ["INFLUXDB_URL"] = "http://127.0.0.1:1"
    assert [sink.name for sink in build_app(load_settings(environ)).http.sinks] == ["influxdb"]
    assert [sink.name for sink in build_app(load_settings({})).http.sinks] == ["sqlite"]


def test_what_waits_for_a_store_that_is_switched_off_is_told_with_what_to_do(
    built: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody writes it back, and it takes the room of others for ever."""
    for name in ("influxdb", "sqlite"):
        open_storage(built.app.settings).container(SPILL).put(f"{name}/1.msgpack", b"x")
    built.app.reload_models()
    (told,) = (one for one in caplog.messages if "is not set any more" in one)
    assert "1 spilled batches wait for influxdb" in told
    assert "set that store again, or delete spill/influxdb/" in told


def test_a_bare_artifact_is_scored_with(built: Deployment, tmp_path: Path) -> None:
    """`MODEL_FILE_PATH` stands in for the registry."""
    built.models.put("iforest_final.joblib", small_model().data)
    with deployed(
        tmp_path,
        MODEL_FILE_PATH="iforest_final.joblib",
        FEATURE_KEYS="temperature,vibration,pressure",
    ) as deployment:
        deployment.app.delivery.deliver(event_batch([body(1)], hub=deployment.hub))
        (row,) = deployment.rows()
    assert row["anomaly_score"] is None
    assert row["is_anomaly"] == 0
    assert len(row["model_version"]) == 12


def test_a_batch_without_events_is_nothing(built: Deployment) -> None:
    """Not even a model is needed for it."""
    built.app.score_events([])
    assert built.app.delivery.ledger.totals() == {}


def test_a_batch_of_the_trigger_is_scored(tmp_path: Path) -> None:
    """Under the names that the host gives its hub and partition."""
    with deployed(tmp_path) as deployment:
        publish(deployment.models, small_model())
        deployment.app.score_events(trigger_events([body(1), b"x"], partition="5"))
        assert [row["partition"] for row in deployment.rows()] == ["5"]
    assert (tmp_path / "dead-letter" / "readings" / "5").is_dir()


def test_the_timer_reports_every_routed_model(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A bad publication is an error in the log before a batch meets it."""
    caplog.set_level("INFO")
    with deployed(tmp_path, MODEL_ROUTES="a-*=good,b-*=bad,*=none") as deployment:
        version = publish(deployment.models, small_model("good"))
        publish_broken(deployment.models, "bad")
        deployment.app.reload_models()
    said = {(r.levelname, r.getMessage()) for r in caplog.records if r.name == "scoring.app"}
    levels = {text.split(":")[0]: level for level, text in said}
    assert levels == {"model good": "INFO", "model bad is refused": "ERROR",
                      "model none is missing": "ERROR"}  # fmt: skip
    assert ("INFO", f"model good: version {version} verified") in said


def test_a_process_has_one_app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whichever thread asks first."""
    monkeypatch.setattr(scoring_app, "_app", None)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(get_app())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(app) for app in found}) == 1


def test_an_app_that_could_not_be_built_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each time with the settings as they are then."""
    monkeypatch.setattr(scoring_app, "_app", None)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("TIME_TIE_BREAK", "coin")
    with pytest.raises(SettingsError, match="TIME_TIE_BREAK"):
        get_app()
    monkeypatch.setenv("TIME_TIE_BREAK", "sequence")
    assert get_app().settings.time_tie_break == "sequence"
