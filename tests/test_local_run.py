"""The main job end to end: every reading accounted for, in real processes."""

import json
from pathlib import Path

from local.app_process import running_app
from local.log import EventLog, log_path
from scoring.dead_letters import DeadLetters
from scoring.registry import Registry
from scoring.storage import FolderStorage
from tests.local_runs import REPOSITORY, counts, run, scores
from tests.waiting import wait_until

pytest_plugins = ["tests.local_run_fixtures"]


def test_a_simulation_ends_by_itself_with_nothing_lost(tmp_path: Path) -> None:
    """RUN_SECONDS stops it; the closing line adds up, and every reading is in the store."""
    ended = run("local.run", "--seconds", "3", "--port", "0", data_dir=tmp_path)
    sent, scored, rejected, anomalies, lost = counts(ended.stdout)
    assert ended.returncode == 0, ended.stderr
    assert (rejected, lost) == (0, 0)
    assert sent == scored >= 30_000
    found = scores(
        tmp_path / "run", "SELECT count(*), count(*) FILTER (WHERE is_anomaly) FROM scores"
    )
    assert found == [(scored, anomalies)]


def test_a_recording_is_fitted_on_its_start_and_its_rest_is_scored(
    tmp_path: Path, recording: Path
) -> None:
    """The first 30 % of each sensor is fitted on; a reading with a gap is a dead letter."""
    folder = tmp_path / "data" / "run"
    ended = run("local.run", "--data", str(recording), "--port", "0", data_dir=folder.parent)
    sent, scored, rejected, anomalies, lost = counts(ended.stdout)
    assert ended.returncode == 0, ended.stderr
    assert (sent, scored, rejected, lost) == (140, 139, 1, 0)
    assert anomalies >= 2
    assert "missing_feature" in ended.stdout
    assert "reading pumps.csv" in ended.stdout
    assert "against the labels: F1" in ended.stdout
    letters = list(DeadLetters(FolderStorage(folder).container("dead-letter")).read())
    assert [(letter.reason, letter.field) for letter in letters] == [
        ("missing_feature", "pressure")
    ]
    worst = scores(
        folder,
        "SELECT sensor_id, cause, anomaly_score FROM scores ORDER BY anomaly_score DESC LIMIT 2",
    )
    assert {row[0] for row in worst} == {"pump-1", "pump-2"}
    assert all({one["feature"] for one in json.loads(str(row[1]))} for row in worst)


def test_the_main_job_runs_on_a_real_blob_server(tmp_path: Path, recording: Path) -> None:
    """With STORE=azurite models, dead letters and status are blobs, and no folder holds them."""
    data_dir = tmp_path / "data"
    ended = run(
        "local.run",
        "--data",
        str(recording),
        "--store",
        "azurite",
        "--port",
        "0",
        data_dir=data_dir,
    )
    assert counts(ended.stdout)[4] == 0, ended.stderr
    assert ended.returncode == 0
    folder = data_dir / "run"
    assert (folder / "azurite").is_dir()
    assert not (folder / "models").exists()
    assert not (folder / "dead-letter").exists()


def test_a_run_without_a_scored_reading_is_summed_up(tmp_path: Path) -> None:
    """All rejected is an outcome as well: counts, no traceback."""
    path = tmp_path / "gaps.csv"
    rows = [f"p,{i % 7},{i % 5 if i < 12 else ''}" for i in range(40)]
    path.write_text("\n".join(["sensor_id,a,b", *rows]))
    ended = run("local.run", "--data", str(path), "--port", "0", data_dir=tmp_path)
    assert counts(ended.stdout) == (28, 0, 28, 0, 0), ended.stderr
    assert ended.returncode == 0


def test_a_run_leaves_the_users_model_and_the_scores_of_runs_before_alone(
    tmp_path: Path, recording: Path
) -> None:
    """DATA_DIR may hold a model in use; only its folder `run` is taken, and counted anew."""
    fitted = run("training", "fit", str(recording), "--publish", data_dir=tmp_path)
    assert fitted.returncode == 0, fitted.stderr
    registry = Registry(FolderStorage(tmp_path).container("models"))
    before = registry.current("default")
    assert before is not None
    for _ in range(2):
        ended = run("local.run", "--data", str(recording), "--port", "0", data_dir=tmp_path)
        assert counts(ended.stdout)[0] == 140, ended.stderr
    assert registry.current("default") == before
    assert not (tmp_path / "scores.sqlite").exists()


def test_a_feature_added_to_the_features_file_goes_all_the_way(tmp_path: Path) -> None:
    """Simulate, fit, publish, score and store take a fourth feature with no other edit."""
    original = (REPOSITORY / "replay" / "features.toml").read_text()
    features = tmp_path / "features.toml"
    features.write_text(original + "\n[features.vibration]\nmean = 2.0\nspread = 0.3\n")
    out, data_dir = tmp_path / "simulated", tmp_path / "data"
    made = run(
        "replay", "simulate", "--features", str(features), "--steps", "200", "--out", str(out),
        data_dir=data_dir,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    fitted = run("training", "fit", str(out / "train.csv"), "--publish", data_dir=data_dir)
    assert fitted.returncode == 0, fitted.stderr
    with running_app({"DATA_DIR": str(data_dir)}, tmp_path / "app.log", port=0) as app:
        sent = run("replay", "send", str(out / "test.csv"), "--url", app.url, data_dir=data_dir)
        assert sent.returncode == 0, sent.stderr
        with EventLog(log_path(data_dir, "sensor-features")) as log:
            wait_until(lambda: not log.backlog("$Default"), "the app to read it all")
    stored = scores(data_dir, "SELECT features FROM scores")
    assert len(stored) == 5 * 50
    names = ["temperature", "humidity", "noise", "vibration"]
    assert {tuple(json.loads(str(row[0]))) for row in stored} == {tuple(names)}
