"""Turns what the Event Hubs trigger delivers into columns, past azure-functions' slow parts."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, overload

import azure.functions as func
import msgspec
from azure.functions.eventhub import EventHubTriggerConverter

from scoring.event_batch import EventBatch
from scoring.event_time import EPOCH

_log = logging.getLogger(__name__)
_DEVICE_ID = "connection-device-id"
_UNKNOWN = "unknown"
# Versions whose decoding was read; another one may send or expect something else.
_KNOWN_VERSIONS: Final = {"1.26.0", "2.3.0"}
# Times as the host sends them, and as it might: the fast parser must agree on each, or leave it.
_PROOF_TIMES: Final = (
    "2026-05-01T12:00:00",
    *(f"2026-05-01T12:00:00.{'1234567'[:n]}" for n in range(1, 8)),
    *(f"2026-05-01T12:00:00.{'1234567'[:n]}Z" for n in range(1, 8)),
    "2026-05-01T12:00:00Z",
    "2026-05-01T12:00:00+00:00",
    "2026-05-01T12:00:00.5+00:00",
    "2026-05-01T12:00:00+02:00",
    "2026-05-01",
    "2026-05-01 12:00:00",
    "20260501T120000",
    "1999-12-31T23:59:59.999999",
    "2026-13-01T12:00:00",
    "yesterday",
    "",
)
_SHORTEST_TIME: Final = len("2026-05-01T12:00:00")

Metadata = Mapping[str, Any]
StockDecode = Callable[[Any, Metadata], "list[func.EventHubEvent]"]


class _SystemProperties(msgspec.Struct, gc=False):
    """What of an event's system properties scoring needs; anything else is passed over."""

    enqueued: str = msgspec.field(name="EnqueuedTimeUtc")
    sequence_number: int = msgspec.field(name="SequenceNumber")
    partition_key: str | None = msgspec.field(name="PartitionKey", default=None)
    device_id: str | None = msgspec.field(name=f"iothub-{_DEVICE_ID}", default=None)


_decode_properties = msgspec.json.Decoder(list[_SystemProperties]).decode


@dataclass(frozen=True, slots=True)
class _Columns:
    """One batch of the trigger; see `EventBatch`."""

    bodies: list[bytes]
    sequence_numbers: list[int]
    enqueued_ns: list[int]
    partition_keys: list[str | None]
    device_ids: list[str | None]


class DecodedEvents(Sequence[func.EventHubEvent]):
    """A batch as columns; asked for an event it makes all of them, as azure-functions does.

    Parameters
    ----------
    columns : _Columns
    metadata : mapping
        Of the whole batch, as the library has it.
    decode : callable
        The library's own decoding, for whoever wants its events.
    """

    def __init__(
        self, columns: _Columns, metadata: Metadata, decode: Callable[[], list[func.EventHubEvent]]
    ) -> None:
        self.columns = columns
        self.metadata = metadata
        self._decode = decode
        self._events: list[func.EventHubEvent] | None = None

    def __len__(self) -> int:
        return len(self.columns.bodies)

    @overload
    def __getitem__(self, index: int) -> func.EventHubEvent: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[func.EventHubEvent]: ...
    def __getitem__(self, index: int | slice) -> func.EventHubEvent | Sequence[func.EventHubEvent]:
        return self._all()[index]

    def __iter__(self) -> Iterator[func.EventHubEvent]:
        return iter(self._all())

    def _all(self) -> list[func.EventHubEvent]:
        if self._events is None:
            self._events = self._decode()
        return self._events


def event_batch(events: Sequence[func.EventHubEvent], hub: str, now: datetime) -> EventBatch:
    """Read what the trigger delivered.

    Parameters
    ----------
    events : sequence of EventHubEvent
        One batch; all of one partition.
    hub : str
        Its name where the host does not tell it.
    now : datetime
        Stands in for an enqueued time that is absent.

    Notes
    -----
    The library converts the metadata of the whole batch for each event that is asked for it
    (1 s for 1,000 events), so only the first event is asked.
    """
    if isinstance(events, DecodedEvents):
        context = _partition_context(events.metadata)
        columns = events.columns
    else:
        context = _context(events[0]) if events else {}
        columns = _columns(events, now)
    return EventBatch(
        hub=str(context.get("EventHubName") or hub),
        partition=str(context.get("PartitionId") or _UNKNOWN),
        bodies=columns.bodies,
        sequence_numbers=columns.sequence_numbers,
        enqueued_ns=columns.enqueued_ns,
        partition_keys=columns.partition_keys,
        device_ids=columns.device_ids,
    )


def _columns(events: Sequence[func.EventHubEvent], now: datetime) -> _Columns:
    return _Columns(
        bodies=[event.get_body() for event in events],
        sequence_numbers=[event.sequence_number or 0 for event in events],
        enqueued_ns=[_nanoseconds(event.enqueued_time or now) for event in events],
        partition_keys=[event.partition_key for event in events],
        device_ids=[(event.iothub_metadata or {}).get(_DEVICE_ID) for event in events],
    )


def _context(event: func.EventHubEvent) -> Mapping[str, Any]:
    context = (event.metadata or {}).get("PartitionContext")
    return context if isinstance(context, dict) else {}


def _partition_context(metadata: Metadata) -> Mapping[str, Any]:
    datum = metadata.get("PartitionContext")
    context = datum.python_value if datum is not None else None
    return context if isinstance(context, dict) else {}


def _nanoseconds(moment: datetime) -> int:
    """Convert a time of the host: UTC, though it comes without a zone."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    since = aware - EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000


def _parse_time(text: str) -> datetime | None:
    """Parse a time as the host sends it; None for any other form, which is left to the library."""
    if len(text) < _SHORTEST_TIME or text[10] != "T":
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    # the library fails on other zones, and the host never sends them
    return moment if not moment.utcoffset() else None


def install() -> bool:
    """Put the fast decoding in the library's place; returns whether that was done.

    It is done only for versions that are known, and only if the library, asked now, parses
    every proof time as the fast parser does. The setting `FAST_DECODING` is asked at the first
    batch, because nothing is read at import.
    """
    fault = _fault()
    if fault is not None:
        _log.warning("stock decoding of events, slower: %s", fault)
        return False
    stock = EventHubTriggerConverter.decode_multiple_events
    if not isinstance(stock, partial):  # installed before
        fast = partial(_decode_events, stock)
        EventHubTriggerConverter.decode_multiple_events = fast  # type: ignore[method-assign, assignment]
    return True


def _fault() -> str | None:
    version = getattr(func, "__version__", None)
    if version not in _KNOWN_VERSIONS:
        return f"azure-functions {version} is not known"
    for text in _PROOF_TIMES:
        fast = _parse_time(text)
        if fast is not None and fast != _stock_time(text):
            return f"azure-functions reads {text!r} in another way"
    return None


def _stock_time(text: str) -> datetime | None:
    try:
        moment: datetime | None = EventHubTriggerConverter._parse_datetime(text)  # noqa: SLF001  # what is held against
    except ValueError:
        return None
    return moment


def _decode_events(
    stock: StockDecode, data: Any, trigger_metadata: Metadata
) -> Sequence[func.EventHubEvent]:
    """Decode a batch to columns, or as the library does where anything is unusual."""
    from scoring.settings import is_fast_decoding  # noqa: PLC0415  # 8 ms, not for indexing

    columns = _fast_columns(data, trigger_metadata) if is_fast_decoding() else None
    if columns is None:
        return stock(data, trigger_metadata)
    return DecodedEvents(columns, trigger_metadata, partial(stock, data, trigger_metadata))


def _fast_columns(data: Any, metadata: Metadata) -> _Columns | None:
    """Read bodies and system properties; None where they are not as the host sends them."""
    if data.type != "collection_bytes":
        return None
    try:
        properties = _decode_properties(metadata["SystemPropertiesArray"].value)
    except (KeyError, msgspec.MsgspecError, TypeError):
        return None
    bodies = list(data.value.bytes)
    times: dict[str, int] = {}
    for one in properties:
        if one.enqueued not in times:
            moment = _parse_time(one.enqueued)
            if moment is None:
                return None
            times[one.enqueued] = _nanoseconds(moment)
    if len(bodies) != len(properties):
        return None
    return _Columns(
        bodies=bodies,
        sequence_numbers=[one.sequence_number for one in properties],
        enqueued_ns=[times[one.enqueued] for one in properties],
        partition_keys=[one.partition_key for one in properties],
        device_ids=[one.device_id for one in properties],
    )
