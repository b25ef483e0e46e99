"""Tests of scoring.sinks.influxdb: a server that is busy, broken, away or wrongly set."""

import threading
import time
from socket import create_server

import pytest

from scoring.errors import SinkThrottledError, SinkUnavailableError
from scoring.sinks import influxdb
from scoring.sinks.influxdb import InfluxSink
from scoring.sinks.line_protocol import lines
from tests.http_double import Answer, HttpDouble, Request, answering
from tests.influx_sinks import settings
from tests.influxd_server import TOKEN
from tests.moved_time import Waits
from tests.scored_batches import scored_batch


def test_a_large_batch_has_bounded_patience_in_all() -> None:
    """Each of its requests may be waited for; the host ends an invocation after ten minutes."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    busy = Answer(503, {"Retry-After": "20"})
    answers = [busy, busy, Answer()] * 20
    with (
        answering(*answers).running() as server,
        pytest.raises(SinkUnavailableError, match="in the time for one write"),
    ):
        InfluxSink(settings(server.url), sleep, lambda: now[0]).write([scored_batch(100_000)])
    assert 240 <= now[0] <= 260
    assert len(server.requests) == 18  # six that were waited for, three times each


@pytest.mark.parametrize(
    ("status", "names"),
    [
        (401, ["INFLUXDB_TOKEN"]),
        (403, ["INFLUXDB_TOKEN", "INFLUXDB_BUCKET"]),
        (404, ["INFLUXDB_URL", "INFLUXDB_ORG", "INFLUXDB_BUCKET"]),
    ],
)
def test_a_wrong_setting_is_named_at_once(status: int, names: list[str]) -> None:
    """One try: repeating it would not help. The token stands in no message."""
    waits = Waits()
    with (
        answering(Answer(status)).running() as server,
        pytest.raises(SinkUnavailableError) as caught,
    ):
        InfluxSink(settings(server.url), waits).write([scored_batch(1)])
    assert (len(server.requests), waits.seconds) == (1, [])
    assert str(status) in str(caught.value)
    assert all(name in str(caught.value) for name in names)
    assert TOKEN not in str(caught.value)


def test_a_server_that_is_busy_is_asked_again_as_late_as_it_says() -> None:
    """429 with Retry-After; then the same lines once more."""
    waits = Waits()
    busy = Answer(429, {"Retry-After": "7"})
    with answering(busy, Answer()).running() as server:
        InfluxSink(settings(server.url), waits).write([scored_batch(1)])
    assert waits.seconds == [7.0]
    assert [request.text for request in server.requests] == [lines([scored_batch(1)])] * 2


@pytest.mark.parametrize("asked", ["3600", "Wed, 21 Oct 2026 07:28:00 GMT", "-1"])
def test_a_batch_has_bounded_patience(asked: str) -> None:
    """Its partition waits; what a server may ask for is an hour, a date or nonsense."""
    waits = Waits()
    with answering(Answer(503, {"Retry-After": asked}), Answer()).running() as server:
        InfluxSink(settings(server.url), waits).write([scored_batch(1)])
    assert len(server.requests) == 2
    assert 0.25 <= waits.seconds[0] <= 20.0


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_an_error_of_the_server_is_tried_three_times(status: int) -> None:
    """With growing waits in between; then the trigger keeps the batch."""
    waits = Waits()
    with (
        answering(Answer(status)).running() as server,
        pytest.raises(SinkUnavailableError, match=f"answered {status}; check that INFLUXDB_URL"),
    ):
        InfluxSink(settings(server.url), waits).write([scored_batch(1)])
    assert len(server.requests) == 3
    first, second = waits.seconds
    assert 0.25 <= first <= 0.75
    assert 0.5 <= second <= 1.5


def test_a_server_that_goes_on_asking_for_patience_is_told_from_one_that_is_down() -> None:
    """The batch waits on the event hub then, and is not spilled."""
    with (
        answering(Answer(429)).running() as server,
        pytest.raises(SinkThrottledError, match="answered 429"),
    ):
        InfluxSink(settings(server.url), Waits()).write([scored_batch(1)])
    assert len(server.requests) == 3


def test_a_server_that_came_back_is_written_to() -> None:
    """503 twice, then 204: no error, and nothing left to do."""
    with answering(Answer(503), Answer(503), Answer()).running() as server:
        InfluxSink(settings(server.url), Waits()).write([scored_batch(1)])
    assert len(server.requests) == 3


def test_a_server_that_is_away_is_named_by_its_setting() -> None:
    """Connection refused, three times; later it is there, and the same sink writes."""
    with create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    waits = Waits()
    with pytest.raises(SinkUnavailableError, match=r"did not answer .*INFLUXDB_URL"):
        InfluxSink(settings(f"http://127.0.0.1:{port}"), waits).write([scored_batch(1)])
    assert len(waits.seconds) == 2


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent store must not hold a partition for ever."""
    monkeypatch.setattr(influxdb, "_TIMEOUT_MS", 200)
    ended = threading.Event()

    def silent(_: Request) -> Answer:
        ended.wait(30)
        return Answer()

    started = time.monotonic()
    with HttpDouble(silent).running() as server:
        try:
            with pytest.raises(SinkUnavailableError, match="did not answer"):
                InfluxSink(settings(server.url), Waits()).write([scored_batch(1)])
        finally:
            ended.set()
    assert len(server.requests) == 1
    assert time.monotonic() - started < 10  # one try of the client's own default


def test_a_bug_is_not_taken_for_a_store_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on to the batch boundary, and is never tried again."""
    waits = Waits()
    with answering(Answer()).running() as server:
        sink = InfluxSink(settings(server.url), waits)

        def broken(**_: object) -> None:
            raise TypeError("a bug")

        monkeypatch.setattr(sink._writer(), "post_write", broken)
        with pytest.raises(TypeError):
            sink.write([scored_batch(1)])
    assert (server.requests, waits.seconds) == ([], [])
