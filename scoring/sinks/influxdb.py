"""Stores scores in InfluxDB 2, one request for up to 5,000 readings."""

import gzip
import random
import re
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

from scoring.errors import SinkThrottledError, SinkUnavailableError
from scoring.influx_settings import InfluxSettings
from scoring.scored import Refused, ScoredBatch
from scoring.sinks.line_protocol import reading_lines, spans

# Three tries within a batch; beyond that the retry policy of the trigger keeps the batch.
_MOST_TRIES = 3
_FIRST_WAIT_SECONDS = 0.5
# A server may ask for more patience than a batch has.
_LONGEST_WAIT_SECONDS = 20.0
# A thousand lines take some hundredths of a second; a silent server costs this once.
_TIMEOUT_MS = 5_000
# Of one write; after that each request has one try. The Functions host ends an invocation after
# ten minutes, and a batch of 100,000 readings has twenty requests that may each be waited for.
_LONGEST_WRITE_SECONDS = 240.0
# 1,000 lines: 186 kB become 31 kB in 0.5 ms; level 9 takes six times as long for 25 kB.
_COMPRESSION_LEVEL = 1
# Bad line, too large, partial write: the rest of the batch is not at fault.
_REFUSALS = {400, 413, 422}
# In the text of a partial write: how many lines of the request were not stored.
_DROPPED = re.compile(r"dropped=(\d+)")
_TOO_MANY = 429
_RETRYABLE = {408, 429, 500, 502, 503, 504}
_REMEDIES = {
    401: "check INFLUXDB_TOKEN",
    403: "check that INFLUXDB_TOKEN may write to INFLUXDB_BUCKET",
    404: "check INFLUXDB_URL, INFLUXDB_ORG and INFLUXDB_BUCKET",
}


class InfluxSink:
    """One point an identity in an InfluxDB bucket.

    Delivery as in `Sink`: measurement, tags and time are the identity, so a point written again
    overwrites itself. Throttling and server errors are tried again within bounds, with jitter
    and as late as `Retry-After` asks. A large batch goes in several requests, in order.

    Parameters
    ----------
    settings : InfluxSettings
    sleep : callable
        Waits for seconds.
    clock : callable
        Monotonic seconds.
    """

    name = "influxdb"

    def __init__(
        self,
        settings: InfluxSettings,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._sleep = sleep
        self._clock = clock
        self._lock = threading.Lock()
        self._service: Any = None

    def _writer(self) -> Any:
        """Return the one client, made on first use; safe to share between threads."""
        with self._lock:
            if self._service is None:
                from influxdb_client.client.influxdb_client import (  # noqa: PLC0415  # 0.2 s
                    InfluxDBClient,
                )
                from influxdb_client.service.write_service import (  # noqa: PLC0415  # the same
                    WriteService,
                )

                settings = self._settings
                client = InfluxDBClient(
                    url=settings.url, token=settings.token, org=settings.org, timeout=_TIMEOUT_MS
                )
                self._service = WriteService(client.api_client)  # type: ignore[no-untyped-call]
            return self._service

    def wanted(self, batch: ScoredBatch) -> ScoredBatch:
        """Return all of it."""
        return batch

    def write(self, batches: Sequence[ScoredBatch]) -> Sequence[Refused]:
        """Store every reading; returns those whose line the server refuses.

        Raises
        ------
        SinkUnavailableError
            Naming the setting to check.
        """
        text = reading_lines(batches)
        refused: list[tuple[int, str]] = []
        end_s = self._clock() + _LONGEST_WRITE_SECONDS
        waiting = spans(text)[::-1]  # the last of two readings with one identity stays
        while waiting:  # by halves, until what is refused stands alone; the others are stored
            start, end = waiting.pop()
            try:
                self._write_lines(text[start:end], end_s)
            except _RefusedError as error:
                if end - start == 1 or error.n_dropped == end - start:
                    refused += [(place, error.message) for place in range(start, end)]
                    continue
                middle = (start + end) // 2
                waiting += [(middle, end), (start, middle)]
        return _refused_readings(batches, refused)

    def _write_lines(self, text: Sequence[str], end_s: float) -> None:
        """Write once, and again within bounds where that may help."""
        body = gzip.compress("\n".join(text).encode(), _COMPRESSION_LEVEL)
        for attempt in range(_MOST_TRIES):
            silent_s = self._clock() + _TIMEOUT_MS / 1_000
            try:
                self._post(body)
            except Exception as error:  # noqa: BLE001  # sorted by _wait_before_retry
                # one silence is enough: the batch is spilled, and the store is tried beside it
                is_silent = not getattr(error, "status", None) and self._clock() >= silent_s
                last = attempt == _MOST_TRIES - 1 or is_silent or self._clock() >= end_s
                self._sleep(_wait_before_retry(error, attempt, last=last))
            else:
                return

    def _post(self, body: bytes) -> None:
        """Write once. The client's own write_api would compress at level 9."""
        self._writer().post_write(
            org=self._settings.org,
            bucket=self._settings.bucket,
            body=body,
            precision="ns",
            content_encoding="gzip",
            content_type="text/plain; charset=utf-8",
        )


class _RefusedError(Exception):
    """The server takes some of these lines never."""

    def __init__(self, status: int, body: str) -> None:
        dropped = _DROPPED.search(body)
        self.n_dropped = int(dropped[1]) if dropped else None
        self.message = f"{InfluxSink.name} answered {status}: {body}"[:300]
        super().__init__(self.message)


def _refused_readings(
    batches: Sequence[ScoredBatch], refused: Sequence[tuple[int, str]]
) -> list[Refused]:
    """Find the readings of lines, by their places in the whole text."""
    starts = [0, *accumulate(map(len, batches))]
    found: list[Refused] = []
    for place, message in refused:
        which = bisect_right(starts, place) - 1
        found.append(Refused(batches[which], place - starts[which], message))
    return found


def _wait_before_retry(error: Any, attempt: int, *, last: bool) -> float:
    """Return how long to wait, or raise where waiting does not help."""
    from influxdb_client.rest import ApiException  # noqa: PLC0415  # with the client
    from urllib3.exceptions import HTTPError  # noqa: PLC0415  # the same

    if isinstance(error, ApiException) and error.status:
        if error.status in _REFUSALS:
            raise _RefusedError(error.status, str(error.body)) from error
        if error.status == _TOO_MANY and last:
            raise SinkThrottledError(
                InfluxSink.name, "answered 429", "the batch waits; give InfluxDB more capacity"
            ) from error
        if error.status not in _RETRYABLE or last:
            raise _unavailable(f"answered {error.status}", error.status) from error
    elif not isinstance(error, (HTTPError, OSError, ApiException)):
        raise error
    elif last:
        raise _unavailable(f"did not answer ({type(error).__name__})", None) from error
    asked = _retry_after(error)
    backoff: float = _FIRST_WAIT_SECONDS * 2**attempt * random.uniform(0.5, 1.5)
    return min(max(backoff, asked), _LONGEST_WAIT_SECONDS)


def _unavailable(found: str, status: int | None) -> SinkUnavailableError:
    remedy = _REMEDIES.get(status or 0, "check that INFLUXDB_URL is reachable and has room")
    return SinkUnavailableError(InfluxSink.name, found, remedy)


def _retry_after(error: Exception) -> float:
    headers = getattr(error, "headers", None) or {}
    try:
        return float(headers.get("Retry-After", 0))
    except ValueError:  # a date; the backoff will do
        return 0.0
