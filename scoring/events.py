"""Turns event bodies into columns of readings, or says why not."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from scoring.errors import ReadingRejectedError
from scoring.event_batch import EventBatch
from scoring.event_time import event_time_ns
from scoring.json_bodies import BAD_JSON, Document, decode_shallow, decode_strictly, documents
from scoring.json_nesting import MOST_NESTED

TIME_KEYS = ("timestamp", "event_time", "time")
LONGEST_SENSOR_ID = 256
# Control characters would break logs and line protocol, halves of surrogate pairs every store.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# With TIME_TIE_BREAK, and where a reading has no time: sequence number modulo this, as us.
_TIE_BREAK_SPAN = 1_000

# Sensors whose id is known to be fit; looking it up costs a tenth of looking at it.
_MOST_REMEMBERED = 100_000
# What reading a body that is not one plain reading may raise.
NOT_PLAIN = (*BAD_JSON, ReadingRejectedError, TypeError)
_T = TypeVar("_T")

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rejected:
    """One reading that cannot be scored, and why.

    Parameters
    ----------
    event : int
        Position of its event in the batch.
    index : int
        Position of the reading in the event's body.
    raw : bytes
        The reading as it arrived.
    reason : str
        Short code, counted.
    message : str
        What was expected and what was found.
    field : str or None
        The key at fault.
    """

    event: int
    index: int
    raw: bytes
    reason: str
    message: str
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Readings:
    """Readings that have an identity, as columns; one entry a reading, in order of arrival.

    Parameters
    ----------
    sensor_ids : list of str
    event_time_ns : ndarray of shape (n_readings,), int64
        Nanoseconds since 1970, UTC.
    payloads : list of mapping
        What the JSON object held.
    events, indexes : ndarray of shape (n_readings,), int64
        Position of the event in the batch, and of the reading in its body.
    documents : mapping of (int, int) to Document
        By event and index, for readings that are not the whole body of their event.
    bodies : sequence of bytes
        Of all events.
    """

    sensor_ids: list[str]
    event_time_ns: IntArray
    payloads: list[dict[str, Any]]
    events: IntArray
    indexes: IntArray
    documents: Mapping[tuple[int, int], Document]
    bodies: Sequence[bytes]

    def __len__(self) -> int:
        return len(self.sensor_ids)

    def reject(self, row: int, error: ReadingRejectedError) -> Rejected:
        """Turn one reading away for `error`."""
        event, index = int(self.events[row]), int(self.indexes[row])
        document = self.documents.get((event, index))
        raw = self.bodies[event] if document is None else document.raw()
        return Rejected(event, index, raw, error.reason, str(error), error.field)


@dataclass(frozen=True, slots=True)
class ReadingKeys:
    """Which keys hold a reading's identity, and what breaks a tie in time."""

    sensor_id: tuple[str, ...]
    time_tie_break: Literal["none", "sequence"] = "none"


class _Columns:
    """The columns of `Readings` while they are filled."""

    def __init__(self) -> None:
        self.sensor_ids: list[str] = []
        self.times: list[int] = []
        self.payloads: list[dict[str, Any]] = []
        self.events: list[int] = []
        self.indexes: list[int] = []
        self.documents: dict[tuple[int, int], Document] = {}

    def in_order(self) -> "list[int] | None":
        """Return the rows in order of arrival; None if they are."""
        places = list(zip(self.events, self.indexes, strict=True))
        order = sorted(range(len(places)), key=places.__getitem__)
        return None if order == list(range(len(order))) else order

    def readings(self, bodies: Sequence[bytes]) -> Readings:
        order = self.in_order() if self.documents else None
        rows = slice(None) if order is None else order
        pick = _picker(order)
        return Readings(
            pick(self.sensor_ids),
            np.array(self.times, np.int64)[rows],
            pick(self.payloads),
            np.array(self.events, np.int64)[rows],
            np.array(self.indexes, np.int64)[rows],
            self.documents,
            bodies,
        )


def _picker(order: "list[int] | None") -> "Callable[[list[_T]], list[_T]]":
    if order is None:
        return lambda column: column
    return lambda column: [column[row] for row in order]


def read_events(batch: EventBatch, keys: ReadingKeys) -> tuple[Readings, list[Rejected]]:
    """Decode every body of a batch.

    Returns
    -------
    Readings
        All readings with a usable id and time.
    list of Rejected
        All others. One bad reading costs none of its neighbours.
    """
    columns = _Columns()
    rejected: list[Rejected] = []
    # a replayed reading may not be the first of its event: the plain way knows no index
    others = range(len(batch.bodies)) if batch.first_indexes else _read_plain(batch, keys, columns)
    for event in others:
        first = batch.first_index(event)
        for index, document in enumerate(documents(batch.bodies[event]), first):
            try:
                payload = document.payload()
                sensor_id, time_ns = _identity(payload, batch, event, index, keys)
            except ReadingRejectedError as error:
                raw = document.raw()
                rejected.append(Rejected(event, index, raw, error.reason, str(error), error.field))
                continue
            columns.sensor_ids.append(sensor_id)
            columns.times.append(time_ns)
            columns.payloads.append(payload)
            columns.events.append(event)
            columns.indexes.append(index)
            columns.documents[event, index] = document
    return columns.readings(batch.bodies), rejected


def _read_plain(batch: EventBatch, keys: ReadingKeys, columns: _Columns) -> list[int]:
    """Read the bodies that are one plain reading; returns the events that are anything else.

    The usual case, at the cost of the parser and a few look-ups.
    """
    others: list[int] = []
    for event, body in enumerate(batch.bodies):
        # what is that short cannot nest too deeply: no call for nothing
        decode = decode_strictly if len(body) <= MOST_NESTED else decode_shallow
        try:
            payload = decode(body)
            sensor_id, time_ns = _identity(payload, batch, event, 0, keys)
        except NOT_PLAIN:
            others.append(event)
            continue
        columns.sensor_ids.append(sensor_id)
        columns.times.append(time_ns)
        columns.payloads.append(payload)
        columns.events.append(event)
    columns.indexes = [0] * len(columns.events)
    return others


def _identity(
    payload: Any, batch: EventBatch, event: int, index: int, keys: ReadingKeys
) -> tuple[str, int]:
    """Find the sensor and the time of a reading.

    Raises
    ------
    ReadingRejectedError
        If one of them is unusable.
    TypeError
        If the payload is no object.
    """
    if type(payload) is not dict:
        raise TypeError
    for key in keys.sensor_id:
        if key in payload:
            sensor_id = _checked_sensor_id(payload[key], key)
            break
    else:
        sensor_id = _checked_sensor_id(batch.fallback_sensor_id(event), "partition_key")
    for key in TIME_KEYS:
        if key in payload:
            time_ns = event_time_ns(payload[key], key)
            if keys.time_tie_break == "sequence":
                time_ns += _tie_break_ns(batch, event, index)
            return sensor_id, time_ns
    return sensor_id, batch.enqueued_ns[event] + _tie_break_ns(batch, event, index)


def _checked_sensor_id(value: object, key: str) -> str:
    if type(value) is int:
        value = _integer_text(value)
    if type(value) is not str:
        found = "null" if value is None else type(value).__name__
        raise ReadingRejectedError(
            "bad_sensor_id", f"expected text or an integer, not {found}", key
        )
    if not _is_fit(value):
        raise ReadingRejectedError(
            "bad_sensor_id",
            f"expected 1 to {LONGEST_SENSOR_ID} characters and no control characters",
            key,
        )
    return value


@lru_cache(maxsize=_MOST_REMEMBERED)
def _is_fit(sensor_id: str) -> bool:
    return 0 < len(sensor_id) <= LONGEST_SENSOR_ID and not _UNFIT.search(sensor_id)


def _integer_text(value: int) -> str:
    # Python refuses to print an integer of thousands of digits; such an id is refused anyway.
    return str(value) if value.bit_length() <= LONGEST_SENSOR_ID * 4 else "9" * 999


def _tie_break_ns(batch: EventBatch, event: int, index: int) -> int:
    return batch.sequence_numbers[event] % _TIE_BREAK_SPAN * 1_000 + index
