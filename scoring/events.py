"""Turns event bodies into columns of readings, or says why not."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from scoring.errors import ReadingRejectedError
from scoring.event_time import event_time_ns
from scoring.json_bodies import Document, documents

TIME_KEYS = ("timestamp", "event_time", "time")
LONGEST_SENSOR_ID = 256
# Control characters would break logs and line protocol, halves of surrogate pairs every store.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# With TIME_TIE_BREAK, and where a reading has no time: sequence number modulo this, as us.
_TIE_BREAK_SPAN = 1_000

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class EventBatch:
    """What the trigger delivered, as columns; one entry an event.

    Parameters
    ----------
    hub, partition : str
        Where the events come from.
    bodies : sequence of bytes
    sequence_numbers : sequence of int
    enqueued_ns : sequence of int
        When the hub took each event; ns since 1970, UTC.
    partition_keys, device_ids : sequence of str or None
        Event Hubs partition key and IoT Hub device id.
    """

    hub: str
    partition: str
    bodies: Sequence[bytes]
    sequence_numbers: Sequence[int]
    enqueued_ns: Sequence[int]
    partition_keys: Sequence[str | None]
    device_ids: Sequence[str | None]

    def fallback_sensor_id(self, event: int) -> str:
        """Name the sensor of an event whose readings name none."""
        return self.partition_keys[event] or self.device_ids[event] or f"partition-{self.partition}"


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
    raws : list of callable
        Each gives the reading's bytes as they arrived; called for the rejected alone.
    """

    sensor_ids: list[str]
    event_time_ns: IntArray
    payloads: list[Mapping[str, Any]]
    events: IntArray
    indexes: IntArray
    raws: list[Callable[[], bytes]]

    def __len__(self) -> int:
        return len(self.sensor_ids)

    def reject(self, row: int, error: ReadingRejectedError) -> Rejected:
        """Turn one reading away for `error`."""
        return Rejected(
            event=int(self.events[row]),
            index=int(self.indexes[row]),
            raw=self.raws[row](),
            reason=error.reason,
            message=str(error),
            field=error.field,
        )


@dataclass(frozen=True, slots=True)
class ReadingKeys:
    """Which keys hold a reading's identity, and what breaks a tie in time."""

    sensor_id: tuple[str, ...]
    time_tie_break: Literal["none", "sequence"] = "none"


def read_events(batch: EventBatch, keys: ReadingKeys) -> tuple[Readings, list[Rejected]]:
    """Decode every body of a batch.

    Returns
    -------
    Readings
        All readings with a usable id and time.
    list of Rejected
        All others. One bad reading costs none of its neighbours.
    """
    nothing = np.empty(0, np.int64)
    readings = Readings([], nothing, [], nothing, nothing, [])
    rejected: list[Rejected] = []
    times: list[int] = []
    events: list[int] = []
    indexes: list[int] = []
    for event, index, document in _numbered(batch.bodies):
        try:
            payload = document.payload()
            sensor_id = _sensor_id(payload, keys.sensor_id) or _checked_sensor_id(
                batch.fallback_sensor_id(event), "partition_key"
            )
            times.append(_time(payload, batch, event, index, keys))
        except ReadingRejectedError as error:
            raw = document.raw()
            rejected.append(Rejected(event, index, raw, error.reason, str(error), error.field))
            continue
        readings.sensor_ids.append(sensor_id)
        readings.payloads.append(payload)
        readings.raws.append(document.raw)
        events.append(event)
        indexes.append(index)
    return _with_columns(readings, times, events, indexes), rejected


def _with_columns(
    readings: Readings, times: list[int], events: list[int], indexes: list[int]
) -> Readings:
    return Readings(
        readings.sensor_ids,
        np.array(times, np.int64),
        readings.payloads,
        np.array(events, np.int64),
        np.array(indexes, np.int64),
        readings.raws,
    )


def _numbered(bodies: Sequence[bytes]) -> Iterator[tuple[int, int, Document]]:
    for event, body in enumerate(bodies):
        for index, document in enumerate(documents(body)):
            yield event, index, document


def _sensor_id(payload: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    for key in keys:
        if key in payload:
            return _checked_sensor_id(payload[key], key)
    return None


def _checked_sensor_id(value: object, key: str) -> str:
    if type(value) is int:
        value = _integer_text(value)
    if type(value) is not str:
        found = "null" if value is None else type(value).__name__
        raise ReadingRejectedError(
            "bad_sensor_id", f"expected text or an integer, not {found}", key
        )
    if not 0 < len(value) <= LONGEST_SENSOR_ID or _UNFIT.search(value):
        raise ReadingRejectedError(
            "bad_sensor_id",
            f"expected 1 to {LONGEST_SENSOR_ID} characters and no control characters",
            key,
        )
    return value


def _integer_text(value: int) -> str:
    # Python refuses to print an integer of thousands of digits; such an id is refused anyway.
    return str(value) if value.bit_length() <= LONGEST_SENSOR_ID * 4 else "9" * 999


def _time(
    payload: Mapping[str, Any], batch: EventBatch, event: int, index: int, keys: ReadingKeys
) -> int:
    for key in TIME_KEYS:
        if key in payload:
            time_ns = event_time_ns(payload[key], key)
            break
    else:
        return batch.enqueued_ns[event] + _tie_break_ns(batch, event, index)
    if keys.time_tie_break == "sequence":
        return time_ns + _tie_break_ns(batch, event, index)
    return time_ns


def _tie_break_ns(batch: EventBatch, event: int, index: int) -> int:
    return batch.sequence_numbers[event] % _TIE_BREAK_SPAN * 1_000 + index
