"""What a store of named bytes promises, whichever it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from scoring.errors import ScoringError
from scoring.names import is_plain_path


class NotRead(Enum):
    """Why a read gave no bytes."""

    MISSING = "missing"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Stored:
    """Bytes and the tag of this version of them."""

    data: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a listing."""

    path: str
    size: int
    modified: datetime


class ConditionNotMetError(ScoringError):
    """Somebody else wrote first; read again and decide."""

    def __init__(self, container: str, path: str) -> None:
        super().__init__(
            f"storage {container}/{path}: was written by another in between; read it again"
        )


class UnsafePathError(ScoringError):
    """A path would leave its container."""

    def __init__(self, container: str, path: str) -> None:
        super().__init__(f"storage {container}: {path!r} is no plain path inside the container")


class Container(Protocol):
    """Named bytes. Every write is whole or absent; all methods may be called from any thread.

    Each method raises `StorageUnavailableError` where the store does not answer, after bounded
    retries, and `UnsafePathError` for a path that is not made of plain names.
    """

    @property
    def name(self) -> str:
        """The container's name."""

    def get(self, path: str, *, known_etag: str | None = None) -> Stored | NotRead:
        """Read; UNCHANGED where the ETag is still `known_etag`, MISSING where nothing is."""

    def put(
        self, path: str, data: bytes, *, only_if_absent: bool = False, if_etag: str | None = None
    ) -> str:
        """Write and return the new ETag; raises `ConditionNotMetError` where a condition fails."""

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """List entries whose path starts with `prefix`, by path."""

    def delete(self, path: str, *, if_etag: str | None = None) -> None:
        """Delete; nothing happens where nothing is. Conditions as in `put`."""


class Storage(Protocol):
    """Where the containers are."""

    def container(self, name: str) -> Container:
        """Return the container called `name`; nothing is created or checked yet."""


def checked_path(container: str, path: str) -> str:
    """Return `path` where it stays inside its container; raises `UnsafePathError`."""
    if not is_plain_path(path):
        raise UnsafePathError(container, path)
    return path
