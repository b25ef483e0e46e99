"""Which files of the repository a deployment would take along, by `.funcignore`."""

import os
import shutil
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

ROOT = Path(__file__).parents[1]


def deployed_files(root: Path = ROOT) -> Iterator[str]:
    """List the files that `root`'s `.funcignore` leaves.

    Its patterns are plain names: none has a slash or a ``!``, so each matches a file or folder
    at any depth, as in `.gitignore`.
    """
    patterns = _patterns((root / ".funcignore").read_text())
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not _is_ignored(name, patterns)]
        for name in files:
            if not _is_ignored(name, patterns):
                yield (Path(folder) / name).relative_to(root).as_posix()


def _patterns(text: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines()]
    patterns = [line for line in lines if line and not line.startswith("#")]
    assert not any("/" in pattern or "!" in pattern for pattern in patterns)
    return patterns


def _is_ignored(name: str, patterns: list[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def deploy(folder: Path) -> Path:
    """Copy the files of a deployment to `folder`, and nothing else."""
    for path in deployed_files():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, target)
    return folder
