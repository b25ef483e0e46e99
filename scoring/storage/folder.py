"""Named bytes in folders of this machine."""

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from scoring.errors import StorageUnavailableError
from scoring.storage.contract import (
    ConditionNotMetError,
    Entry,
    NotRead,
    Stored,
    checked_path,
)

# Names that a put needs beside its files; a listing leaves them out.
_UNFINISHED = ".writing-"
_LOCK = ".lock"


class FolderStorage:
    """Containers as folders below one root."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def container(self, name: str) -> "FolderContainer":
        """Return the folder called `name`."""
        return FolderContainer(name, self._root / name)


class FolderContainer:
    """Files below one folder; an ETag is inode, time and size of a file.

    A write goes to a temporary file, is synced and then renamed, so it is whole or absent even
    after a kill. Conditions hold between processes of one machine on POSIX; elsewhere between
    the threads of one process.
    """

    _lock = threading.Lock()

    def __init__(self, name: str, root: Path) -> None:
        self.name = name
        self._root = root

    def _path(self, path: str) -> Path:
        return self._root / checked_path(self.name, path)

    @contextlib.contextmanager
    def _errors(self, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageUnavailableError(self.name, path, error.strerror or repr(error)) from error

    def get(self, path: str, *, known_etag: str | None = None) -> Stored | NotRead:
        """Read a file; see `Container.get`."""
        with self._errors(path):
            try:
                with self._path(path).open("rb") as file:
                    etag = _folder_etag(os.fstat(file.fileno()))
                    return NotRead.UNCHANGED if etag == known_etag else Stored(file.read(), etag)
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return NotRead.MISSING

    def put(
        self, path: str, data: bytes, *, only_if_absent: bool = False, if_etag: str | None = None
    ) -> str:
        """Write a file; see `Container.put`."""
        target = self._path(path)
        with self._errors(path):
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = self._write_temporary(target, data)
            try:
                if only_if_absent:
                    self._link(temporary, target, path)
                else:
                    self._replace(temporary, target, path, if_etag)
                return _folder_etag(target.stat())
            finally:
                temporary.unlink(missing_ok=True)

    def _write_temporary(self, target: Path, data: bytes) -> Path:
        descriptor, name = tempfile.mkstemp(prefix=_UNFINISHED, dir=target.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
        return Path(name)

    def _link(self, temporary: Path, target: Path, path: str) -> None:
        try:
            os.link(temporary, target)
        except FileExistsError as error:
            raise ConditionNotMetError(self.name, path) from error

    def _replace(self, temporary: Path, target: Path, path: str, if_etag: str | None) -> None:
        with self._lock, _process_lock(self._root):
            if if_etag is not None:
                found = _folder_etag(target.stat()) if target.exists() else None
                if found != if_etag:
                    raise ConditionNotMetError(self.name, path)
            temporary.replace(target)

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """List files; see `Container.list`."""
        with self._errors(prefix):
            found = {file.relative_to(self._root).as_posix(): file for file in self._files()}
            for path, file in sorted(found.items()):
                if path.startswith(prefix):
                    with contextlib.suppress(FileNotFoundError):
                        if not file.is_dir():
                            stat = file.stat()
                            yield Entry(
                                path, stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC)
                            )

    def _files(self) -> Iterator[Path]:
        """Give every file that a put has finished."""
        for file in self._root.rglob("*"):
            if not file.name.startswith(_UNFINISHED) and file.name != _LOCK:
                yield file

    def delete(self, path: str, *, if_etag: str | None = None) -> None:
        """Delete a file; see `Container.delete`."""
        target = self._path(path)
        with self._errors(path), contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if target.is_dir():
                return
            if if_etag is None:
                target.unlink()
                return
            with self._lock, _process_lock(self._root):
                if _folder_etag(target.stat()) != if_etag:
                    raise ConditionNotMetError(self.name, path)
                target.unlink()


def _folder_etag(stat: os.stat_result) -> str:
    return f"{stat.st_ino:x}-{stat.st_mtime_ns:x}-{stat.st_size:x}"


@contextlib.contextmanager
def _process_lock(root: Path) -> Iterator[None]:
    try:
        import fcntl  # noqa: PLC0415  # POSIX only
    except ImportError:
        yield
        return
    with (root / _LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
