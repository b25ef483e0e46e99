"""Stores scores in InfluxDB 2, one request for up to 5,000 readings."""

import gzip
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

from scoring.errors import SinkThrottledError, SinkUnavailableError
from scoring.influx_settings import InfluxSettings
from scoring.scored import Refused, ScoredBatch
from scoring.sinks.influxdb_answers import (
    MOST_TRIES,
    SINK_NAME,
    MissingBucketError,
    RefusedError,
    check_stored,
    text_of,
    too_slow,
    wait_before_retry,
)
from scoring.sinks.influxdb_progress import Progress, Unfinished
from scoring.sinks.line_protocol import reading_lines

# A thousand lines take some hundredths of a second; a silent server costs this once.
_TIMEOUT_MS = 5_000
# Of one write, whatever is waited for or refused. The Functions host ends an invocation after ten
# minutes; four leave time for another store and for the spill.
_LONGEST_WRITE_SECONDS = 240.0
# 1,000 lines: 186 kB become 31 kB in 0.5 ms; level 9 takes six times as long for 25 kB.
_COMPRESSION_LEVEL = 1


class InfluxSink:
    """One point an identity in an InfluxDB bucket.

    Delivery as in `Sink`: measurement, tags and time are the identity, so a point written again
    overwrites itself. Throttling and server errors are tried again within bounds, with jitter
    and as late as `Retry-After` asks. A large batch goes in several requests, in order; one of
    which the server refuses a part is sent again in parts, until what is refused is found. After
    four minutes a write is given up. How far it came then, or where it was throttled, is
    remembered, and the next write of the same lines goes on there.

    Parameters
    ----------
    settings : InfluxSettings
    sleep : callable
        Waits for seconds.
    clock : callable
        Monotonic seconds.
    """

    name = SINK_NAME

    def __init__(
        self,
        settings: InfluxSettings,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._sleep = sleep
        self._clock = clock
        self._unfinished = Unfinished(clock)
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
        SinkThrottledError
            If the server answers, but asks for more patience than a batch has.
        SinkUnavailableError
            Naming the setting to check; or if four minutes were not enough.
        """
        text = reading_lines(batches)
        progress = self._unfinished.progress(text)
        n_before = progress.n_steps
        end_s = self._clock() + _LONGEST_WRITE_SECONDS
        try:
            while progress.waiting:
                self._write_next(text, progress, end_s)
        except MissingBucketError:
            self._unfinished.clear()
            raise
        except SinkUnavailableError as error:
            if isinstance(error, SinkThrottledError) or self._clock() >= end_s:
                error.is_begun = progress.n_steps > n_before
                self._unfinished.keep(batches, text, progress)
            raise
        self._unfinished.forget(batches)
        return _refused_readings(batches, progress.refused)

    def _write_next(self, text: Sequence[str], progress: Progress, end_s: float) -> None:
        """Send the next request; it goes on waiting where it was not answered."""
        if self._clock() >= end_s:
            raise too_slow()
        try:
            self._write_lines([text[place] for place in progress.waiting[-1]], end_s)
        except RefusedError as error:
            progress.split(text, error)
        else:
            progress.stored()

    def _write_lines(self, text: Sequence[str], end_s: float) -> None:
        """Write once, and again within bounds where that may help."""
        body = gzip.compress("\n".join(text).encode(), _COMPRESSION_LEVEL)
        for attempt in range(MOST_TRIES):
            silent_s = self._clock() + _TIMEOUT_MS / 1_000
            try:
                return self._post(body)
            except Exception as error:  # noqa: BLE001  # sorted by wait_before_retry
                # one silence is enough: the batch is spilled, and the store is tried beside it
                is_silent = not getattr(error, "status", None) and self._clock() >= silent_s
                last = attempt == MOST_TRIES - 1 or is_silent or self._clock() >= end_s
                self._sleep(wait_before_retry(error, attempt, last=last))
        return None

    def _post(self, body: bytes) -> None:
        """Write once. The client's own write_api would compress at level 9.

        The answer is asked for as it came: the client itself keeps no status of a success, and
        fails on a page that is not UTF-8.
        """
        answer = self._writer().post_write(
            org=self._settings.org,
            bucket=self._settings.bucket,
            body=body,
            precision="ns",
            content_encoding="gzip",
            content_type="text/plain; charset=utf-8",
            _preload_content=False,
        )
        check_stored(answer.status, text_of(answer.data))


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
