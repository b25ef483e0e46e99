"""Writes a rejected reading down as a dead letter, from which it comes back exactly."""

import base64
from datetime import UTC, datetime
from typing import overload

import msgspec

from scoring.event_batch import EventBatch, Int64
from scoring.event_time import event_time_ns, iso_time
from scoring.events import Rejected

INTERNAL = "internal"
# hub, partition, sequence number, index, enqueued time, reason
Identity = tuple[str, str, int, int, str, str]


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rejected reading, or with reason `internal` one whole event.

    `raw` holds the bytes as text where they are UTF-8, else `raw_base64` holds them. Times are
    ISO 8601, UTC.
    """

    hub: str
    partition: str
    sequence_number: Int64
    index: Int64
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
    def identity(self) -> Identity:
        """What a second copy of this letter shares with it.

        The enqueued time tells a hub from one that was made anew under its name, and the reason
        an event that is kept whole from its own first reading.
        """
        place = (self.hub, self.partition, self.sequence_number, self.index)
        return (*place, self.enqueued_time, self.reason)

    @property
    def enqueued_ns(self) -> int:
        """When the hub took the event; ns since 1970, UTC."""
        return event_time_ns(self.enqueued_time, "enqueued_time")

    def raw_bytes(self) -> bytes:
        """Return the reading as it arrived."""
        if self.raw_base64 is not None:
            return base64.b64decode(self.raw_base64)
        return (self.raw or "").encode()


def whole_events(batch: EventBatch, message: str) -> list[Rejected]:
    """Turn away every event of a batch as it is, because of a fault of this program."""
    return [
        Rejected(event, 0, bytes(body), INTERNAL, message)
        for event, body in enumerate(batch.bodies)
    ]


def dead_letter(batch: EventBatch, one: Rejected, now: datetime) -> DeadLetter:
    """Write down what was rejected from a batch."""
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
