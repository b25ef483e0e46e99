"""Tests of local.run_folder: no run meets another one's files."""

from pathlib import Path

from local.file_lock import FileLock
from local.log import EventLog, log_path
from local.run_folder import run_folder


def test_a_folder_is_emptied_and_free_again_afterwards(tmp_path: Path) -> None:
    """What a run before left is not counted again."""
    with run_folder(tmp_path) as folder:
        (folder / "old").mkdir(parents=True)
    with run_folder(tmp_path) as folder:
        assert folder == tmp_path / "run"
        assert not folder.exists()


def test_what_lies_beside_it_stays(tmp_path: Path) -> None:
    """The parent may be the folder of a user's own data."""
    (tmp_path / "scores.sqlite").touch()
    with run_folder(tmp_path):
        assert (tmp_path / "scores.sqlite").exists()


def test_a_second_run_gets_a_folder_of_its_own(tmp_path: Path) -> None:
    """The first one's files are untouched."""
    with run_folder(tmp_path) as first:
        first.mkdir()
        with run_folder(tmp_path) as second, run_folder(tmp_path) as third:
            assert [second.name, third.name] == ["run-2", "run-3"]
        assert first.exists()


def test_a_folder_whose_app_still_runs_is_in_use(tmp_path: Path) -> None:
    """It may outlive a killed run by the length of its last batch."""
    log = log_path(tmp_path / "run", "hub")
    with EventLog(log), FileLock(log.with_suffix(".lock"), wait=False):
        with run_folder(tmp_path) as folder:
            assert folder.name == "run-2"
        assert log.exists()
