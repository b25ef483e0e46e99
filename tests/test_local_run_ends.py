"""Tests of local.run: however a run ends, it says so."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from local.run import main
from local.run_source import RunSource, recorded_source
from tests.local_runs import Run, counts, run

pytest_plugins = ["tests.local_run_fixtures"]


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
