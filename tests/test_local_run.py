"""The main job end to end: every reading accounted for, in real processes."""

import csv
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from local.app_process import running_app
from local.log import EventLog, log_path
from local.run import main
from local.run_source import RunSource, recorded_source
from local.run_summary import Stored, edge_shares, quality, truth_key
from scoring.dead_letters import DeadLetters
from scoring.registry import Registry
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
    with closing(sqlite3.connect(data_dir / "scores.sqlite", timeout=30)) as connection:
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


class Run:
    """A simulation that runs in a process of its own, once its first readings are scored."""

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir / "run"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "local.run", "--port", "0"],
            cwd=REPOSITORY,
            env=os.environ | {"DATA_DIR": str(data_dir)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_until(self._has_scores)

    def _has_scores(self) -> bool:
        assert self.process.poll() is None
        store = self.folder / "scores.sqlite"
        try:
            return store.exists() and bool(scores(self.folder, "SELECT 1 FROM scores LIMIT 1"))
        except sqlite3.OperationalError:  # its table is not made yet
            return False

    def signal_app(self, number: signal.Signals) -> None:
        """Send a signal to the app: the one child of the run."""
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                _, _, rest = stat.read_text().rpartition(")")
            except OSError:  # ended meanwhile
                continue
            if rest.split()[1] == str(self.process.pid):
                os.kill(int(stat.parent.name), number)
                return
        raise AssertionError("the run has no app")

    def end(self) -> tuple[int, str, str]:
        """Wait for the end; return status, output and errors."""
        output, errors = self.process.communicate(timeout=90)
        return self.process.returncode, output, errors


def wait_until(condition: Callable[[], bool]) -> None:
    """Poll until `condition` holds."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Run]:
    """Start a simulation; kill it if it is still there at the end."""
    started = Run(tmp_path)
    yield started
    if started.process.poll() is None:
        started.process.kill()
        started.end()


def test_ctrl_c_ends_a_simulation_well(running: Run) -> None:
    """What was sent is scored first; the closing line adds up, and the exit status is 0."""
    running.process.send_signal(signal.SIGINT)
    status, output, errors = running.end()
    sent, scored, *_, lost = counts(output)
    assert (status, sent, lost) == (0, scored, 0), errors
    assert "Ctrl-C again ends at once" in errors


def test_ctrl_c_while_a_recording_is_read_ends_before_anything_starts(
    tmp_path: Path,
    recording: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No model is fitted for nothing, and the run ends as every run."""

    def interrupted(path: Path, **options: Any) -> RunSource:
        os.kill(os.getpid(), signal.SIGINT)
        return recorded_source(path, **options)

    monkeypatch.setattr("local.run.recorded_source", interrupted)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    assert main(["--data", str(recording)]) == 0
    assert counts(capsys.readouterr().out) == (0, 0, 0, 0, 0)
    assert not (tmp_path / "data").exists()


def test_a_tilde_is_the_users_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Some shells leave it to us, as make does; that of nobody is a name like any other."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for data, path in (("~/none.csv", f"{tmp_path}/none.csv"), ("~nobody-at-all/x", "~nobody")):
        assert main(["--data", data]) == 1
        assert f"check the path {path}" in capsys.readouterr().err


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc here")


@needs_proc
def test_a_second_ctrl_c_ends_it_at_once(running: Run) -> None:
    """Even while the app does not move: one line, exit 130, nothing left running."""
    running.signal_app(signal.SIGSTOP)
    stderr = running.process.stderr
    assert stderr is not None
    running.process.send_signal(signal.SIGINT)
    while "Ctrl-C again" not in (line := stderr.readline()):
        assert line
    running.process.send_signal(signal.SIGINT)
    status, _, errors = running.end()
    assert (status, errors.strip().splitlines()) == (
        130,
        ["ended at once; what was sent is not accounted for"],
    )


@needs_proc
def test_a_run_whose_app_dies_says_so_and_accounts(running: Run) -> None:
    """Where the reason stands, what was scored until then, and exit 1."""
    running.signal_app(signal.SIGKILL)
    status, output, errors = running.end()
    sent, scored, rejected, _, lost = counts(output)
    assert status == 1
    assert "the app ended by itself (exit -9)" in errors
    assert str(running.folder / "app.log") in errors
    assert "Traceback" not in errors
    assert 0 < scored == sent - rejected - lost


def test_two_runs_at_a_time_do_not_meet(running: Run, tmp_path: Path) -> None:
    """The second has a folder of its own, and the first goes on."""
    second = run("local.run", "--seconds", "1", "--port", "0", data_dir=tmp_path)
    assert (second.returncode, counts(second.stdout)[4]) == (0, 0), second.stderr
    assert (tmp_path / "run-2" / "scores.sqlite").exists()
    running.process.send_signal(signal.SIGINT)
    status, output, errors = running.end()
    assert (status, counts(output)[4]) == (0, 0), errors


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
    assert edge_shares(stored([])) is None
    assert edge_shares(stored([False] * 39)) is None
    assert edge_shares(stored([True] * 5 + [False] * 20 + [True] * 20)) == (0.25, 1.0)
