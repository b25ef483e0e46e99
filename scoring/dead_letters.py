"""Keeps every rejected reading: its bytes, where it came from, and why it was rejected."""

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import overload

import msgspec

from scoring.event_batch import EventBatch
from scoring.event_time import iso_time
from scoring.events import Rejected
from scoring.storage import ConditionNotMetError, Container, Stored

CONTAINER = "dead-letter"
INTERNAL = "internal"
_UNFIT_FOR_PATH = re.compile(r"[^A-Za-z0-9_-]")
# Of a hub's name, which may be longer than a folder's; the digest tells the rest apart.
_LONGEST_FOLDER = 100


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rejected reading, or with reason `internal` one whole event.

    `raw` holds the bytes as text where they are UTF-8, else `raw_base64` holds them. Times are
    ISO 8601, UTC.
    """

    hub: str
    partition: str
    sequence_number: int
    index: int
    reason: str
    message: str
    field: str | None = None
    enqueued_time: str
    rejected_time: str
    partition_key: str | None = None
    device_id: str | None = None
    raw: str | None = None
    raw_base64: str | None = None

    @property
    def identity(self) -> tuple[str | int, ...]:
        """What a second copy of this letter shares with it.

        The enqueued time tells a hub from one that was made anew under its name, and the reason
        an event that is kept whole from its own first reading.
        """
        place = (self.hub, self.partition, self.sequence_number, self.index)
        return (*place, self.enqueued_time, self.reason)

    def raw_bytes(self) -> bytes:
        """Return the reading as it arrived."""
        if self.raw_base64 is not None:
            return base64.b64decode(self.raw_base64)
        return (self.raw or "").encode()


class DeadLetters:
    """Rejected readings as NDJSON files, one line a reading.

    Guarantee: a file is whole or absent. Its name follows from what was rejected, so writing the
    same rejections again changes nothing, and other rejections never take its place. A batch
    delivered again in other bounds may repeat a reading in a second file: readers tell by its
    identity. `write` raises
    `StorageUnavailableError` where nothing could be kept, and the caller then keeps the batch.
    """

    def __init__(self, container: Container) -> None:
        self._container = container

    def write(self, batch: EventBatch, rejected: Sequence[Rejected], now: datetime) -> None:
        """Keep what was rejected from one batch."""
        if not rejected:
            return
        letters = [_letter(batch, one, now) for one in rejected]
        encode = msgspec.json.encode
        data = b"".join(encode(letter) + b"\n" for letter in letters)
        try:
            self._container.put(_path(batch, letters), data, only_if_absent=True)
        except ConditionNotMetError:
            return  # the same rejections, kept before

    def read(self) -> Iterator[DeadLetter]:
        """Read every dead letter, each identity once, in the order of the files' names."""
        seen: set[tuple[str | int, ...]] = set()
        for entry in self._container.list():
            found = self._container.get(entry.path)
            if not isinstance(found, Stored):
                continue
            for line in found.data.splitlines():
                letter = msgspec.json.decode(line, type=DeadLetter)
                if letter.identity not in seen:
                    seen.add(letter.identity)
                    yield letter


def whole_events(batch: EventBatch, message: str) -> list[Rejected]:
    """Turn away every event of a batch as it is, because of a fault of this program."""
    return [
        Rejected(event, 0, bytes(body), INTERNAL, message)
        for event, body in enumerate(batch.bodies)
    ]


def _letter(batch: EventBatch, one: Rejected, now: datetime) -> DeadLetter:
    try:
        raw, raw_base64 = one.raw.decode(), None
    except UnicodeDecodeError:
        raw, raw_base64 = None, base64.b64encode(one.raw).decode()
    return DeadLetter(
        hub=batch.hub,
        partition=batch.partition,
        sequence_number=batch.sequence_numbers[one.event],
        index=one.index,
        reason=one.reason,
        message=_clean(one.message),
        field=None if one.field is None else _clean(one.field),
        enqueued_time=iso_time(batch.enqueued_ns[one.event]),
        rejected_time=now.astimezone(UTC).isoformat(timespec="milliseconds"),
        partition_key=_clean(batch.partition_keys[one.event]),
        device_id=_clean(batch.device_ids[one.event]),
        raw=raw,
        raw_base64=raw_base64,
    )


@overload
def _clean(text: str) -> str: ...
@overload
def _clean(text: None) -> None: ...
def _clean(text: str | None) -> str | None:
    """Make text that can be stored: halves of surrogate pairs are written out."""
    return None if text is None else text.encode(errors="backslashreplace").decode()


def _path(batch: EventBatch, letters: Sequence[DeadLetter]) -> str:
    """Name a file after its content: place, first and last sequence number, and a digest."""
    content = [(letter.identity, letter.raw, letter.raw_base64) for letter in letters]
    digest = hashlib.sha256(msgspec.json.encode(content)).hexdigest()[:16]
    folders = f"{_folder(batch.hub)}/{_folder(batch.partition)}"
    first, last = letters[0].sequence_number, letters[-1].sequence_number
    return f"{folders}/{first:020d}-{last:020d}-{digest}.ndjson"


def _folder(name: str) -> str:
    return _UNFIT_FOR_PATH.sub("_", name)[:_LONGEST_FOLDER] or "_"
