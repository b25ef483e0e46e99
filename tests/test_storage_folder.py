"""Tests of scoring.storage.folder: whole files, whoever is killed or writes at the same time."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from scoring.errors import StorageUnavailableError
from scoring.storage import (
    FolderStorage,
    Stored,
)

ROOT = Path(__file__).parents[1]


def test_a_killed_write_leaves_nothing_to_be_seen(tmp_path: Path) -> None:
    """A process killed between writing and renaming leaves a file that nobody lists or reads."""
    script = (
        "import os, sys, pathlib\n"
        "from scoring.storage import FolderStorage\n"
        "pathlib.Path.replace = lambda *_: os._exit(9)\n"
        "FolderStorage(pathlib.Path(sys.argv[1])).container('models').put('a/b', b'new')\n"
    )
    container = FolderStorage(tmp_path).container("models")
    container.put("a/b", b"old")
    ended = subprocess.run([sys.executable, "-c", script, tmp_path], cwd=ROOT, check=False)
    assert ended.returncode == 9
    assert len(list((tmp_path / "models" / "a").iterdir())) == 2
    assert [entry.path for entry in container.list()] == ["a/b"]
    found = container.get("a/b")
    assert isinstance(found, Stored)
    assert found.data == b"old"


RACE = """
import sys, time, pathlib
from scoring.storage import ConditionNotMetError, FolderStorage
container = FolderStorage(pathlib.Path(sys.argv[1])).container("race")
while time.time() < float(sys.argv[2]):
    pass
won = 0
for number in range(30):
    try:
        container.put(f"only/{number}", sys.argv[3].encode(), only_if_absent=True)
        won += 1
    except ConditionNotMetError:
        pass
    while True:
        found = container.get("count")
        try:
            container.put("count", str(int(found.data) + 1).encode(), if_etag=found.etag)
            break
        except ConditionNotMetError:
            continue
print(won)
"""


def test_two_processes_never_both_win(tmp_path: Path) -> None:
    """Of two processes that write under a condition exactly one does, every time."""
    container = FolderStorage(tmp_path).container("race")
    container.put("count", b"0")
    start = str(time.time() + 1.5)
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, tmp_path, start, name], cwd=ROOT, stdout=subprocess.PIPE
        )
        for name in ("one", "two")
    ]
    won = [int(racer.communicate(timeout=60)[0]) for racer in racers]
    assert sum(won) == 30
    count = container.get("count")
    assert isinstance(count, Stored)
    assert count.data == b"60"


def test_a_folder_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    """What may heal has its own error, naming container and path."""
    (tmp_path / "models").write_bytes(b"a file where the folder should be")
    with pytest.raises(StorageUnavailableError, match="models/a/b"):
        FolderStorage(tmp_path).container("models").put("a/b", b"1")
