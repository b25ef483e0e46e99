"""Tests of local.app_process: the app's life with the process that starts it."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.app_process import AppEndedError, AppProcess, running_app
from local.file_lock import FileLock
from local.log import log_path
from tests.waiting import wait_until

ROOT = Path(__file__).parents[1]
OWNER = """
import time
from pathlib import Path
from local.app_process import running_app
with running_app({}, Path("app.log"), port=0):
    print("running", flush=True)
    time.sleep(100)
"""


@pytest.fixture
def app_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a small app the one in the current folder."""
    shutil.copytree(ROOT / "tests" / "fixture_app", tmp_path / "app")
    for name, value in {
        "PYTHONPATH": str(ROOT),
        "RECORD_DIR": str(tmp_path),
        "KEPT_HUB": "kept",
        "DATA_DIR": str(tmp_path / "data"),
        "AzureWebJobs.tick.Disabled": "true",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path / "app")
    return tmp_path


def test_an_app_whose_owner_is_killed_ends_by_itself(app_folder: Path) -> None:
    """Otherwise it would hold the port and its folder for ever."""
    lock = log_path(app_folder / "data", "kept").with_suffix(".lock")

    def is_held() -> bool:
        try:
            FileLock(lock, wait=False).close()
        except BlockingIOError:
            return True
        return False

    with subprocess.Popen(
        [sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "running\n"
        assert is_held()
        owner.kill()
    wait_until(lambda: not is_held(), "the end of the app")
    assert "stopping" in Path("app.log").read_text()


def test_an_app_that_is_gone_is_told_with_its_log(app_folder: Path) -> None:
    """The reason stands there."""
    with running_app({}, Path("app.log"), port=0) as app:
        app.check()
        app.process.send_signal(signal.SIGKILL)
        app.process.wait(60)
        assert app.has_ended
        with pytest.raises(AppEndedError, match=r"exit -9.*app\.log"):
            app.check()


def test_ctrl_c_does_not_wait_for_the_app(app_folder: Path) -> None:
    """It is killed, which loses nothing, and not asked to finish."""
    seen: list[AppProcess] = []

    def interrupted() -> None:
        with running_app({}, Path("app.log"), port=0) as app:
            seen.append(app)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert seen[0].process.returncode == -signal.SIGKILL
