"""Reads what a server answers to a write of InfluxDB line protocol."""

import random
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from scoring.errors import SinkThrottledError, SinkUnavailableError

SINK_NAME = "influxdb"
MOST_TRIES = 3
_FIRST_WAIT_SECONDS = 0.5
# A server may ask for more patience than a batch has.
_LONGEST_WAIT_SECONDS = 20.0
_LONGEST_MESSAGE = 300

# The only answer of any InfluxDB to a write that it stored whole.
_STORED = 204
# Of some releases of InfluxDB 3: a part is stored, and the body says what is not.
_PARTLY_STORED = 201
_TOO_LARGE = 413
# Bad line, too large, partial write: the rest of the batch is not at fault.
_REFUSALS = {400, _TOO_LARGE, 422}
_NOT_FOUND = 404
_TOO_MANY = 429
_RETRYABLE = {408, _TOO_MANY, 500, 502, 503, 504}
_REMEDIES = {
    401: "check INFLUXDB_TOKEN",
    403: "check that INFLUXDB_TOKEN may write to INFLUXDB_BUCKET",
    _NOT_FOUND: "check INFLUXDB_URL, INFLUXDB_ORG and INFLUXDB_BUCKET",
}
# In the text of a partial write: how many lines of the request were not stored.
_DROPPED = re.compile(r"dropped=(\d+)")
# What InfluxDB 1 and 2 say of each line that they cannot read, one after the other: the line
# between these, and then the reason.
_UNREADABLE = "unable to parse '"
_AFTER_LINE = "': "


class RefusedError(Exception):
    """The server takes some lines of a request never.

    Parameters
    ----------
    status : int
    body : str
        What the server says.
    """

    def __init__(self, status: int, body: str) -> None:
        self._status = status
        self._body = body
        self._data, self._said = _opened(body)
        # behind the last line that is named: a line may hold the same words
        dropped = _DROPPED.findall(self._said.rpartition(_AFTER_LINE)[2])
        self._n_dropped = int(dropped[-1]) if dropped else None
        super().__init__(self._message(body))

    def told(self, lines: Sequence[str]) -> dict[int, str]:
        """Find which lines of the request the server names, and what it says of each.

        These are all of them only where each was named, or counted, or was sent alone. What else
        is named may help to find the others, and is no proof.
        """
        if len(lines) == 1 or self._n_dropped == len(lines):
            return dict.fromkeys(range(len(lines)), str(self))
        if isinstance(self._data, list):
            return self._by_number(self._data, len(lines))
        return self._by_text(lines)

    def _by_number(self, data: Sequence[Any], n_lines: int) -> dict[int, str]:
        """Read InfluxDB 3, which counts from 1. What counts otherwise says nothing."""
        found: dict[int, str] = {}
        for one in data:
            number = one.get("line_number") if isinstance(one, dict) else None
            if type(number) is not int or not 1 <= number <= n_lines:
                return {}
            found[number - 1] = self._message(str(one.get("error_message")))
        return found

    def _by_text(self, lines: Sequence[str]) -> dict[int, str]:
        if _UNREADABLE not in self._said:
            return {}
        named: dict[str, str] = {}
        for piece in self._said.split(_UNREADABLE)[1:]:
            line, _, why = piece.rpartition(_AFTER_LINE)
            named[line] = self._message(f"unable to parse: {why.strip()}")
        return {place: named[line] for place, line in enumerate(lines) if line in named}

    def _message(self, said: str) -> str:
        return f"{SINK_NAME} answered {self._status}: {said}"[:_LONGEST_MESSAGE]


class MissingBucketError(SinkUnavailableError):
    """There is no such bucket, so what was stored in it may be gone."""


def _opened(body: str) -> tuple[Any, str]:
    """Return the list of lines that an answer may hold, and its words."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None, body
    if not isinstance(document, dict):
        return None, body
    return document.get("data"), str(document.get("message") or document.get("error") or "")


def check_stored(status: int, body: str) -> None:
    """Raise unless all was stored; `status` is between 200 and 299.

    Raises
    ------
    RefusedError
        If a part was refused.
    SinkUnavailableError
        If this is no answer of InfluxDB.
    """
    if status == _PARTLY_STORED and body and not _is_page(body):
        raise RefusedError(status, body)
    if status != _STORED:
        raise _elsewhere(status)


def wait_before_retry(error: Any, attempt: int, *, last: bool) -> float:
    """Return how long to wait, in seconds, or raise where waiting does not help.

    Parameters
    ----------
    error : Exception
        What the client raised.
    attempt : int
        From 0.
    last : bool
        Whether there is no further one.

    Raises
    ------
    RefusedError
        If the lines are at fault.
    SinkThrottledError, SinkUnavailableError
        If the store is.
    """
    from influxdb_client.rest import ApiException  # noqa: PLC0415  # with the client
    from urllib3.exceptions import HTTPError  # noqa: PLC0415  # the same

    if isinstance(error, ApiException) and error.status:
        _check_status(error, last=last)
    elif not isinstance(error, (HTTPError, OSError, ApiException)):
        raise error
    elif last:
        raise _unavailable(f"did not answer ({type(error).__name__})") from error
    backoff: float = _FIRST_WAIT_SECONDS * 2**attempt * random.uniform(0.5, 1.5)
    return min(max(backoff, _retry_after(error)), _LONGEST_WAIT_SECONDS)


def _check_status(error: Any, *, last: bool) -> None:
    """Raise where the same request need not be sent again."""
    status: int = error.status
    if status in _REFUSALS:
        body = text_of(error.body)
        if status != _TOO_LARGE and _is_page(body):  # a gate in front may say that in any form
            raise _elsewhere(status) from error
        raise RefusedError(status, body) from error
    if status == _TOO_MANY and last:
        raise SinkThrottledError(
            SINK_NAME, "answered 429", "the batch waits; give InfluxDB more capacity"
        ) from error
    if status < min(_REFUSALS):
        raise _elsewhere(status) from error
    if status == _NOT_FOUND:
        raise MissingBucketError(SINK_NAME, "answered 404", _REMEDIES[status]) from error
    if status not in _RETRYABLE or last:
        raise _unavailable(f"answered {status}", status) from error


def _unavailable(found: str, status: int = 0) -> SinkUnavailableError:
    remedy = _REMEDIES.get(status, "check that INFLUXDB_URL is reachable and has room")
    return SinkUnavailableError(SINK_NAME, found, remedy)


def _elsewhere(status: int) -> SinkUnavailableError:
    remedy = "set INFLUXDB_URL to where InfluxDB itself answers; it takes a write with 204 alone"
    return SinkUnavailableError(SINK_NAME, f"answered {status}, as no InfluxDB does", remedy)


def too_slow() -> SinkUnavailableError:
    """Say what to mend where the server took lines, but not all within one write."""
    found = "took only a part of a batch in the time for one write"
    remedy = "what is left is written later; look at what InfluxDB refuses, or give it more"
    return SinkUnavailableError(SINK_NAME, found, f"{remedy} capacity")


def text_of(body: Any) -> str:
    """Read a body; pages of a proxy may be in any encoding."""
    return body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")


def _is_page(body: str) -> bool:
    """Tell a page for people, as of a proxy, from an answer of InfluxDB."""
    return body.lstrip("\ufeff \t\r\n").startswith("<")


def _retry_after(error: Exception) -> float:
    headers = getattr(error, "headers", None) or {}
    try:
        return float(headers.get("Retry-After", 0))
    except ValueError:  # a date; the backoff will do
        return 0.0
