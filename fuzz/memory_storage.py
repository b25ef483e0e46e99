"""Named bytes in this process's memory, by the contract of `scoring.storage`."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime

from scoring.storage import ConditionNotMetError, Entry, NotRead, Stored
from scoring.storage.contract import checked_path


class MemoryContainer:
    """One container; see `scoring.storage.Container`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.files: dict[str, Stored] = {}
        self._tags = itertools.count()

    def get(self, path: str, *, known_etag: str | None = None) -> Stored | NotRead:
        """Read a file."""
        found = self.files.get(checked_path(self.name, path))
        if found is None:
            return NotRead.MISSING
        return NotRead.UNCHANGED if found.etag == known_etag else found

    def put(
        self, path: str, data: bytes, *, only_if_absent: bool = False, if_etag: str | None = None
    ) -> str:
        """Write a file."""
        before = self.files.get(checked_path(self.name, path))
        if (only_if_absent and before) or (if_etag and (before is None or before.etag != if_etag)):
            raise ConditionNotMetError(self.name, path)
        tag = str(next(self._tags))
        self.files[path] = Stored(bytes(data), tag)
        return tag

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """List files."""
        for path in sorted(self.files):
            if path.startswith(prefix):
                yield Entry(path, len(self.files[path].data), datetime.now(UTC))

    def delete(self, path: str, *, if_etag: str | None = None) -> None:
        """Delete a file."""
        found = self.files.get(path)
        if if_etag and found is not None and found.etag != if_etag:
            raise ConditionNotMetError(self.name, path)
        self.files.pop(checked_path(self.name, path), None)
