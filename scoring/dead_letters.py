"""Keeps every rejected reading: its bytes, where it came from, and why it was rejected."""

import contextlib
import hashlib
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

import msgspec

from scoring.clocks import has_passed
from scoring.errors import ReadingRejectedError, ScoringError
from scoring.event_batch import EventBatch
from scoring.events import Rejected
from scoring.letters import DeadLetter, Identity, dead_letter
from scoring.storage import ConditionNotMetError, Container, Stored

CONTAINER = "dead-letter"
# What a health check may cost: one page of a Blob listing, four times a minute.
_MOST_LISTED = 5_000
_SUMMARY_EVERY = timedelta(seconds=15)
# Letters remembered before those that a listing has passed are forgotten; 0.5 kB each.
MOST_REMEMBERED = 10_000
_UNFIT_FOR_PATH = re.compile(r"[^A-Za-z0-9_-]")
# Of a hub's name, which may be longer than a folder's; the digest tells the rest apart.
_LONGEST_FOLDER = 100


class DeadLetterUnreadableError(ScoringError):
    """A file of dead letters was damaged."""

    def __init__(self, path: str, found: str) -> None:
        super().__init__(f"{CONTAINER}/{path}: {found}; mend the file, or move it elsewhere")


@dataclass(frozen=True, slots=True)
class LetterFile:
    """One file of dead letters, as it was read.

    Parameters
    ----------
    path, etag : str
    n_bytes : int
    letters : tuple of DeadLetter
        At least one; none where the file cannot be read.
    fault : str or None
        Why it cannot be read.
    """

    path: str
    etag: str
    n_bytes: int
    letters: tuple[DeadLetter, ...]
    fault: str | None = None

    def is_passed(self, identity: Identity) -> bool:
        """Tell whether no file from this one on can hold a copy of that letter."""
        hub, partition, sequence_number, *_ = self.letters[0].identity
        return identity[:2] != (hub, partition) or identity[2] < sequence_number

    def still_to_come(self, seen: set[Identity]) -> set[Identity]:
        """Forget, of many letters, those that are passed: memory stays bounded."""
        if len(seen) <= MOST_REMEMBERED:
            return seen
        return {identity for identity in seen if not self.is_passed(identity)}


@dataclass(frozen=True, slots=True)
class DeadLetterDepth:
    """How much is kept, as far as a listing tells.

    Parameters
    ----------
    n_files, n_bytes : int
    oldest : datetime or None
        When the oldest file was written; UTC.
    is_complete : bool
        Whether all was listed; otherwise there is more, and maybe older.
    """

    n_files: int
    n_bytes: int
    oldest: datetime | None
    is_complete: bool


class DeadLetters:
    """Rejected readings as NDJSON files, one line a reading.

    Guarantee: a file is whole or absent. Its name follows from what was rejected, so writing the
    same rejections again changes nothing, and other rejections never take its place. A batch
    delivered again in other bounds may repeat a reading in a second file: readers tell by its
    identity. `write` raises `StorageUnavailableError` where nothing could be kept, and the caller
    then keeps the batch.
    """

    def __init__(self, container: Container) -> None:
        self._container = container
        self._lock = threading.Lock()
        self._summary: tuple[datetime, DeadLetterDepth] | None = None

    def write(self, batch: EventBatch, rejected: Sequence[Rejected], now: datetime) -> None:
        """Keep what was rejected from one batch."""
        if not rejected:
            return
        self._put([dead_letter(batch, one, now) for one in rejected])

    def _put(self, letters: Sequence[DeadLetter]) -> str:
        path = _path(letters)
        # where the name is taken, the same rejections are kept already
        with contextlib.suppress(ConditionNotMetError):
            data = b"".join(msgspec.json.encode(letter) + b"\n" for letter in letters)
            self._container.put(path, data, only_if_absent=True)
        return path

    def files(self, since: datetime | None = None) -> Iterator[LetterFile]:
        """Read file by file, in the order of their names: by place, then by sequence number.

        Parameters
        ----------
        since : datetime, optional
            Leave out, unread, what was written before; zone-aware.
        """
        for entry in self._container.list():
            if since is not None and entry.modified < since:
                continue
            found = self._container.get(entry.path)
            if isinstance(found, Stored):
                yield _letter_file(entry.path, found)

    def read(self) -> Iterator[DeadLetter]:
        """Read every dead letter, each identity once, in the order of the files' names.

        Raises
        ------
        DeadLetterUnreadableError
            If a file was damaged.
        """
        seen: set[Identity] = set()
        for file in self.files():
            if file.fault is not None:
                raise DeadLetterUnreadableError(file.path, file.fault)
            seen = file.still_to_come(seen)
            for letter in file.letters:
                if letter.identity not in seen:
                    seen.add(letter.identity)
                    yield letter

    def settle(self, file: LetterFile, left: Sequence[DeadLetter]) -> bool:
        """Let go of a file, but for the letters that are left of it.

        These are written first, so that a kill in between loses none: copies are told by their
        identity. A name stands for one content, so a file written anew meanwhile holds what was
        settled; one that was altered by hand stays.

        Parameters
        ----------
        file : LetterFile
            As `files` gave it.
        left : sequence of DeadLetter
            Those to keep: letters of the file, or others in their place.

        Returns
        -------
        bool
            False where the file was altered since it was read, and so is still there.
        """
        if left and self._put(left) == file.path:
            return True
        try:
            self._container.delete(file.path, if_etag=file.etag)
        except ConditionNotMetError:
            return False
        return True

    def summary(self, now: datetime) -> DeadLetterDepth:
        """Tell how much is kept, from a bounded listing at most 15 s old."""
        with self._lock:
            if self._summary is None or has_passed(_SUMMARY_EVERY, self._summary[0], now):
                self._summary = (now, self._listed())
            return self._summary[1]

    def _listed(self) -> DeadLetterDepth:
        entries = list(islice(self._container.list(), _MOST_LISTED + 1))
        listed = entries[:_MOST_LISTED]
        oldest = min((entry.modified.astimezone(UTC) for entry in listed), default=None)
        n_bytes = sum(entry.size for entry in listed)
        return DeadLetterDepth(len(listed), n_bytes, oldest, len(entries) == len(listed))


def _letter_file(path: str, found: Stored) -> LetterFile:
    size = len(found.data)
    try:
        letters = tuple(_decoded(line) for line in found.data.splitlines())
    except (msgspec.MsgspecError, ReadingRejectedError, ValueError, RecursionError) as error:
        return LetterFile(path, found.etag, size, (), str(error)[:200])
    return LetterFile(path, found.etag, size, letters, None if letters else "the file is empty")


def _decoded(line: bytes) -> DeadLetter:
    """Decode one letter; raises for one whose time or bytes cannot be had back."""
    letter = msgspec.json.decode(line, type=DeadLetter)
    letter.enqueued_ns  # noqa: B018  # raises
    letter.raw_bytes()
    return letter


def _path(letters: Sequence[DeadLetter]) -> str:
    """Name a file after its content: place, first and last sequence number, and a digest."""
    content = [(letter.identity, letter.raw, letter.raw_base64) for letter in letters]
    digest = hashlib.sha256(msgspec.json.encode(content)).hexdigest()[:16]
    folders = f"{_folder(letters[0].hub)}/{_folder(letters[0].partition)}"
    first, last = letters[0].sequence_number, letters[-1].sequence_number
    return f"{folders}/{first:020d}-{last:020d}-{digest}.ndjson"


def _folder(name: str) -> str:
    return _UNFIT_FOR_PATH.sub("_", name)[:_LONGEST_FOLDER] or "_"
