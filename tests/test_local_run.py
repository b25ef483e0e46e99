"""The main job end to end: every reading accounted for, in real processes."""

import csv
import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from local.accounts import account
from local.app_process import running_app
from local.log import EventLog, LogEvent, log_path
from local.run_summary import Stored, edge_shares, quality, truth_key
from scoring.dead_letters import DeadLetters
from scoring.sinks.sqlite import open_scores
from scoring.storage import FolderStorage

REPOSITORY = Path(__file__).parents[1]
CLOSING = re.compile(
    r"done: sent=(\d+) scored=(\d+) rejected=(\d+) anomalies=(\d+) lost=(\d+)$", re.MULTILINE
)


def run(module: str, *arguments: str, data_dir: Path) -> subprocess.CompletedProcess[str]:
    """Run one of our commands as a user would."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=REPOSITORY,
        env=os.environ | {"DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def counts(output: str) -> tuple[int, ...]:
    """Read the closing line."""
    found = CLOSING.search(output)
    assert found, output
    return tuple(map(int, found.groups()))


def scores(data_dir: Path, query: str) -> list[tuple[object, ...]]:
    """Ask the store."""
    with closing(sqlite3.connect(data_dir / "scores.sqlite")) as connection:
        return connection.execute(query).fetchall()


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Two pumps, 100 readings each, two faults with labels, one empty cell."""
    path = tmp_path / "pumps.csv"
    generator = np.random.default_rng(3)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(["device_id", "datetime", "vibration", "pressure", "anomaly"])
        for second in range(100):
            for pump in ("pump-1", "pump-2"):
                fault = second == 90
                vibration = 50.0 if fault else generator.normal(2.0, 0.1)
                pressure = 90.0 if fault else generator.normal(5.0, 0.2)
                pressure = "" if (second, pump) == (80, "pump-1") else pressure
                time = f"2026-05-01 12:{second // 60:02d}:{second % 60:02d}"
                writer.writerow([pump, time, vibration, pressure, int(fault)])
    return path


def test_a_simulation_ends_by_itself_with_nothing_lost(tmp_path: Path) -> None:
    """RUN_SECONDS stops it; the closing line adds up, and every reading is in the store."""
    ended = run("local.run", "--seconds", "3", "--port", "0", data_dir=tmp_path)
    sent, scored, rejected, anomalies, lost = counts(ended.stdout)
    assert ended.returncode == 0, ended.stderr
    assert (rejected, lost) == (0, 0)
    assert sent == scored >= 30_000
    assert scores(tmp_path, "SELECT count(*) FROM scores") == [(scored,)]
    assert scores(tmp_path, "SELECT count(*) FROM scores WHERE is_anomaly") == [(anomalies,)]


def test_a_recording_is_fitted_on_its_start_and_its_rest_is_scored(
    tmp_path: Path, recording: Path
) -> None:
    """The first 30 % of each sensor is fitted on; a reading with a gap is a dead letter."""
    ended = run("local.run", "--data", str(recording), "--port", "0", data_dir=tmp_path / "data")
    sent, scored, rejected, anomalies, lost = counts(ended.stdout)
    assert ended.returncode == 0, ended.stderr
    assert (sent, scored, rejected, lost) == (140, 139, 1, 0)
    assert anomalies >= 2
    assert "missing_feature" in ended.stdout
    assert "against the labels: F1" in ended.stdout
    letters = list(DeadLetters(FolderStorage(tmp_path / "data").container("dead-letter")).read())
    assert [(letter.reason, letter.field) for letter in letters] == [
        ("missing_feature", "pressure")
    ]
    worst = scores(
        tmp_path / "data",
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
    assert (data_dir / "azurite").is_dir()
    assert not (data_dir / "models").exists()
    assert not (data_dir / "dead-letter").exists()


def test_an_unusable_recording_is_one_clear_line(tmp_path: Path) -> None:
    """No traceback: what is wrong, and exit 1."""
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    ended = run("local.run", "--data", str(empty), data_dir=tmp_path)
    assert ended.returncode == 1
    assert "empty.csv" in ended.stderr
    assert "Traceback" not in ended.stderr


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
            wait_until_done(log)
    stored = scores(data_dir, "SELECT features FROM scores")
    assert len(stored) == 5 * 50
    names = ["temperature", "humidity", "noise", "vibration"]
    assert {tuple(json.loads(str(row[0]))) for row in stored} == {tuple(names)}


def wait_until_done(log: EventLog) -> None:
    """Wait until the app has read everything; the test's own timeout bounds it."""
    while log.backlog("$Default"):
        time.sleep(0.05)


@pytest.fixture
def sent(tmp_path: Path) -> EventLog:
    """Append three events to one partition."""
    log = EventLog(log_path(tmp_path, "hub"), partitions=1)
    log.append(LogEvent(b'{"sensor_id": "a", "timestamp": %d}' % second) for second in (1, 2, 2))
    return log


def store(tmp_path: Path, *rows: tuple[int, int]) -> Path:
    """Write scores with an event time in s and a sequence number."""
    path = tmp_path / "scores.sqlite"
    with closing(open_scores(path)) as connection, connection:
        connection.executemany(
            "INSERT INTO scores VALUES ('m', 'a', ?, '1', 0, NULL, 0, NULL, '{}', 0, '0', ?, 0)",
            [(second * 10**9, number) for second, number in rows],
        )
    return path


def test_a_reading_that_is_nowhere_is_lost(tmp_path: Path, sent: EventLog) -> None:
    """The account finds what the store and the dead letters lack."""
    letters = DeadLetters(FolderStorage(tmp_path).container("dead-letter"))
    with sent:
        found = account(sent, store(tmp_path, (2, 1)), letters)
    assert (found.sent, found.scored, found.collided, found.lost) == (3, 2, 1, 1)


def test_a_reading_replaced_by_its_twin_is_collided_and_not_lost(
    tmp_path: Path, sent: EventLog
) -> None:
    """Two readings of one identity leave one row, and both count as scored."""
    letters = DeadLetters(FolderStorage(tmp_path).container("dead-letter"))
    with sent:
        found = account(sent, store(tmp_path, (1, 0), (2, 2)), letters)
    assert (found.scored, found.collided, found.lost) == (3, 1, 0)


def stored(flags: list[bool], sensor: str = "a") -> Stored:
    """One sensor with these decisions, a second apart."""
    times = np.arange(len(flags), dtype=np.int64) * 10**9
    return Stored([sensor] * len(flags), times, np.array(flags), [])


def test_quality_is_what_its_definition_says() -> None:
    """F1 = 2TP / (2TP + FP + FN) and FAR = FP / (FP + TN), counted by hand."""
    found = quality(
        stored([True, True, False, False, False]), {truth_key("a", 0), truth_key("a", 2 * 10**9)}
    )
    assert (found.f1, found.false_alarm_rate) == (0.5, pytest.approx(1 / 3))
    assert (found.precision, found.recall) == (0.5, 0.5)


def test_the_edges_are_those_of_each_sensor() -> None:
    """First and last 20 readings of a sensor that has at least twice as many."""
    assert edge_shares(stored([False] * 39)) is None
    assert edge_shares(stored([True] * 5 + [False] * 20 + [True] * 20)) == (0.25, 1.0)
