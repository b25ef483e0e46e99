"""Which files of the project a deployment takes along, by `.funcignore`."""

import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from scoring.errors import ScoringError

IGNORE_FILE = ".funcignore"


class IgnoreFileError(ScoringError):
    """`.funcignore` cannot be read as the deployment tools read it."""

    def __init__(self, pattern: str) -> None:
        super().__init__(f"{IGNORE_FILE}: {pattern!r} has a slash or a !; write plain names only")


def deployed_files(root: Path) -> list[str]:
    """List the files that `root`'s `.funcignore` leaves, sorted.

    Its patterns are plain names: none has a slash or a ``!``, so each matches a file or folder
    at any depth, as in `.gitignore`, and every deployment tool reads it alike.

    Raises
    ------
    IgnoreFileError
        If a pattern is more than a plain name.
    """
    return sorted(_left(root, _patterns((root / IGNORE_FILE).read_text("utf-8"))))


def _left(root: Path, patterns: Sequence[str]) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not _is_ignored(name, patterns)]
        for name in files:
            if not _is_ignored(name, patterns):
                yield (Path(folder) / name).relative_to(root).as_posix()


def _patterns(text: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines()]
    patterns = [line for line in lines if line and not line.startswith("#")]
    for pattern in patterns:
        if "/" in pattern or "!" in pattern:
            raise IgnoreFileError(pattern)
    return patterns


def _is_ignored(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
