"""Takes events over HTTP into the logs, as Event Hubs' REST interface does."""

import json
import re
import sqlite3
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from local.http_message import Answer, Request, error_answer
from local.log import EventLog, LogEvent, UnknownPartitionError

MAX_EVENT_BYTES = 2**20  # Event Hubs' limit for an event, and for all events of a request
MAX_REQUEST_BYTES = 8 * 2**20  # such a batch with its JSON escapes or Base64 and properties
BATCH_TYPE = "application/vnd.microsoft.servicebus.json"

_PATH = re.compile(r"/([^/]+)(?:/partitions/([^/]+))?/messages/?")
_STANDARD_HEADERS = re.compile(
    r"accept.*|authorization|brokerproperties|cache-control|connection|content-.*|cookie|date"
    r"|expect|host|origin|pragma|referer|sec-.*|te|traceparent|tracestate|transfer-encoding"
    r"|upgrade.*|user-agent|via|x-forwarded-.*|x-ms-.*",
    re.IGNORECASE,
)
_Scalar = str | int | float | bool | None


class BrokerProperties(msgspec.Struct, rename="pascal"):
    """The broker properties that matter here; others are ignored."""

    partition_key: str | None = None


class BatchEvent(msgspec.Struct, rename="pascal"):
    """One event of a batch; `body_base64` is for bodies that are no text."""

    body: str | None = None
    body_base64: bytes | None = None
    broker_properties: BrokerProperties | None = None
    user_properties: dict[str, _Scalar] | None = None


_batch_decoder = msgspec.json.Decoder(list[BatchEvent])
_broker_decoder = msgspec.json.Decoder(BrokerProperties)


class BadRequestError(Exception):
    """A request that cannot be taken; carries the answer to it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.answer = error_answer(status, code, message)
        super().__init__(message)


class Ingest:
    """Appends posted events; answers 201 only once they are committed.

    Parameters
    ----------
    logs : mapping
        The log of each hub.
    """

    def __init__(self, logs: Mapping[str, EventLog]) -> None:
        self._logs = logs

    def answer(self, request: Request) -> Answer | None:
        """Return the answer to a post of events, None if the path is not one for events."""
        found = _PATH.fullmatch(request.path)
        if found is None:
            return None
        try:
            return self._append(request, unquote(found[1]), found[2])
        except BadRequestError as error:
            return error.answer

    def _append(self, request: Request, hub: str, partition: str | None) -> Answer:
        log = self._logs.get(hub)
        if log is None:
            known = ", ".join(self._logs) or "none"
            raise BadRequestError(404, "unknown_hub", f"no function reads {hub}; hubs: {known}")
        if request.method != "POST":
            raise BadRequestError(405, "method_not_allowed", "events are sent with POST")
        events = _events(request, _partition(partition))
        try:
            log.append(events)
        except UnknownPartitionError as error:
            raise BadRequestError(404, "unknown_partition", str(error)) from error
        except sqlite3.Error as error:
            message = f"the log took nothing ({error}); send the same again"
            raise BadRequestError(503, "log_unavailable", message) from error
        return Answer(201)


def _partition(text: str | None) -> int | None:
    if text is None:
        return None
    if not re.fullmatch("[0-9]{1,9}", text):
        raise BadRequestError(404, "unknown_partition", f"{text} is no partition number")
    return int(text)


def _events(request: Request, partition: int | None) -> list[LogEvent]:
    if len(request.body) > MAX_REQUEST_BYTES:
        raise _too_large(len(request.body), MAX_REQUEST_BYTES, "request")
    if (request.header("Content-Type") or "").split(";")[0].strip().lower() == BATCH_TYPE:
        events = _batch(request.body, partition)
    else:
        events = [_single(request, partition)]
    size = sum(len(event.body) for event in events)
    if size > MAX_EVENT_BYTES:
        raise _too_large(size, MAX_EVENT_BYTES, "event or batch")
    if partition is not None and any(event.partition_key is not None for event in events):
        message = "send to a partition or with a PartitionKey, not both"
        raise BadRequestError(400, "partition_and_key", message)
    return events


def _too_large(size: int, limit: int, what: str) -> BadRequestError:
    message = f"the {what} has {size} bytes; {limit} is the limit, so send less at once"
    return BadRequestError(413, "too_large", message)


def _batch(body: bytes, partition: int | None) -> list[LogEvent]:
    try:
        posted = _batch_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequestError(
            400, "bad_batch", f"a batch is a JSON array of events: {error}"
        ) from error
    return [_batch_event(index, event, partition) for index, event in enumerate(posted)]


def _batch_event(index: int, event: BatchEvent, partition: int | None) -> LogEvent:
    if (event.body is None) == (event.body_base64 is None):
        message = f"event {index} needs either Body or BodyBase64"
        raise BadRequestError(400, "bad_batch", message)
    body = event.body_base64 if event.body is None else event.body.encode()
    key = event.broker_properties.partition_key if event.broker_properties else None
    return LogEvent(body or b"", key, event.user_properties, partition)


def _single(request: Request, partition: int | None) -> LogEvent:
    broker = request.header("BrokerProperties")
    try:
        key = _broker_decoder.decode(broker).partition_key if broker else None
    except msgspec.DecodeError as error:
        message = f"the header BrokerProperties is a JSON object: {error}"
        raise BadRequestError(400, "bad_broker_properties", message) from error
    return LogEvent(request.body, key, _custom_properties(request.headers), partition)


def _custom_properties(headers: Mapping[str, str]) -> dict[str, Any]:
    return {
        name: _scalar(value)
        for name, value in headers.items()
        if not _STANDARD_HEADERS.fullmatch(name)
    }


def _scalar(text: str) -> Any:
    """Return a header's value; Event Hubs writes text in quotes and numbers without."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, str | int | float | bool) else text
