"""A lock between processes that the operating system frees when its holder dies."""

import sys
from pathlib import Path
from types import TracebackType
from typing import IO, Self

if sys.platform == "win32":
    import msvcrt

    def _take(file: IO[bytes], *, wait: bool) -> None:
        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError(error.errno, error.strerror) from error
else:
    import fcntl

    def _take(file: IO[bytes], *, wait: bool) -> None:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


class FileLock:
    """An exclusive lock on a file; taken when made, freed by `close` or the process's end.

    Parameters
    ----------
    path : Path
        Made if absent. It is left behind: removing it would let two holders in.
    wait : bool
        Wait for the present holder, instead of raising.

    Raises
    ------
    BlockingIOError
        If another process holds the lock and `wait` is false.
    OSError
        If the file cannot be made, or its disk knows no locks.
    """

    def __init__(self, path: Path, *, wait: bool) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")
        try:
            _take(self._file, wait=wait)
        except OSError:
            self._file.close()
            raise

    def close(self) -> None:
        """Free the lock."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
