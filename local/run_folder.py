"""Gives each run a folder that no other one uses, emptied."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from local.file_lock import FileLock


@contextmanager
def run_folder(parent: Path) -> Iterator[Path]:
    """Hold an empty folder for the length of a with block; what it held before is gone.

    Parameters
    ----------
    parent : Path
        The folder is ``run`` in it, or ``run-2`` and so on while others are in use.

    Raises
    ------
    OSError
        If a folder cannot be emptied.
    """
    for number in count(1):
        folder = parent / ("run" if number == 1 else f"run-{number}")
        lock = _held(folder)
        if lock is None:
            continue
        with lock:
            if folder.exists():
                shutil.rmtree(folder)
            yield folder
        return


def _held(folder: Path) -> FileLock | None:
    """Return the lock of a folder, or nothing if it is in use."""
    lock = _lock(folder.with_name(f"{folder.name}.lock"))
    if lock is None:
        return None
    # the app of a run that was killed may still be at work there
    hubs = [_lock(path) for path in folder.glob("hubs/*.lock")]
    for hub in hubs:
        if hub is not None:
            hub.close()
    if None in hubs:
        lock.close()
        return None
    return lock


def _lock(path: Path) -> FileLock | None:
    try:
        return FileLock(path, wait=False)
    except BlockingIOError:
        return None
