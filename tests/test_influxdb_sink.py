"""Tests of scoring.sinks.influxdb: against HTTP servers on loopback, and a real influxd."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from socket import create_server

import pytest

from scoring.errors import SinkThrottledError, SinkUnavailableError
from scoring.settings import InfluxSettings
from scoring.sinks import influxdb
from scoring.sinks.influxdb import InfluxSink
from scoring.sinks.line_protocol import lines
from tests.event_batches import ENQUEUED_NS
from tests.http_double import Answer, HttpDouble, Request, answering
from tests.influxd_server import TOKEN, RealInflux
from tests.scored_batches import scored_batch


def settings(url: str, token: str = TOKEN, bucket: str = RealInflux.BUCKET) -> InfluxSettings:
    """Point at a server on loopback."""
    return InfluxSettings(url, "plant", bucket, token)


class Waits:
    """Stands in for sleep, and remembers how long it should have been."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        """Wait no time at all."""
        self.seconds.append(seconds)


def test_a_batch_is_one_request(tmp_path: Path) -> None:
    """All models together, packed, in ns, with organisation, bucket and token."""
    with answering(Answer()).running() as server:
        batches = [scored_batch(3), scored_batch(2, model="other")]
        InfluxSink(settings(server.url)).write(batches)
    (request,) = server.requests
    assert request.path == "/api/v2/write"
    assert request.query == {"org": "plant", "bucket": "scores", "precision": "ns"}
    assert request.headers["Authorization"] == f"Token {TOKEN}"
    assert request.headers["Content-Encoding"] == "gzip"
    assert request.text == lines(batches)


def test_a_sensor_id_that_hides_the_end_of_its_line_ends_a_request() -> None:
    """The server would take the next line for a part of it."""
    batch = scored_batch(3, sensor_ids=["a", '\\ \\="x', "b"])
    with answering(Answer()).running() as server:
        InfluxSink(settings(server.url)).write([batch])
    assert sorted(request.text.count("\n") for request in server.requests) == [0, 1]
    assert sorted("\n".join(r.text for r in server.requests).split("\n")) == sorted(
        lines([batch]).split("\n")
    )


def test_a_large_batch_goes_in_requests_that_a_server_answers_in_time() -> None:
    """Of 5,000 lines at most, in order: of two readings with one identity the last one stays."""
    batch = scored_batch(12_001)
    with answering(Answer()).running() as server:
        assert InfluxSink(settings(server.url)).write([batch]) == []
    bodies = [request.text for request in server.requests]
    assert [body.count("\n") + 1 for body in bodies] == [5_000, 5_000, 2_001]
    assert "\n".join(bodies) == lines([batch])


def test_a_refused_line_is_found_behind_the_first_request() -> None:
    """Places count through all requests of a batch."""
    batch = scored_batch(5_010)
    with partial_write(f" {batch.event_time_ns[5_003]}", 422).running() as server:
        (refused,) = InfluxSink(settings(server.url), Waits()).write([batch])
    assert refused.row == 5_003


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


def test_nothing_is_asked_where_nothing_is_to_write() -> None:
    """No request for a batch in which every reading was rejected."""
    with answering(Answer()).running() as server:
        InfluxSink(settings(server.url)).write([])
    assert server.requests == []


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


def test_threads_share_one_client() -> None:
    """Partitions write at the same time; none of their lines gets lost."""
    with answering(Answer()).running() as server:
        sink = InfluxSink(settings(server.url))
        threads = [
            threading.Thread(target=sink.write, args=([scored_batch(1, first=i)],))
            for i in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    times = {int(request.text.rsplit(" ")[-1]) for request in server.requests}
    assert times == {ENQUEUED_NS + i * 10**9 for i in range(16)}


@pytest.fixture(scope="module")
def real(influxd: Path, tmp_path_factory: pytest.TempPathFactory) -> RealInflux:
    """Set up a real influxd."""
    return RealInflux(tmp_path_factory.mktemp("influxd"))


@pytest.fixture(scope="module")
def front(real: RealInflux) -> Iterator[HttpDouble]:
    """Run it behind version 2's write API."""
    with real.running() as server:
        yield server


def test_a_real_server_reads_what_was_written(real: RealInflux, front: HttpDouble) -> None:
    """Types, text and times are those of the scored readings."""
    InfluxSink(settings(front.url)).write([scored_batch(2)])
    first, second = real.query("SELECT * FROM anomaly_score WHERE sensor_id = 'pump-1'")
    assert first == {
        "time": ENQUEUED_NS,
        "anomaly_score": 0.5,
        "cause": "vibration 75%, temperature 25%",
        "is_anomaly": True,
        "model": "default",
        "model_version": "v1",
        "score": 0.1 - 0.5,
        "sensor_id": "pump-1",
    }
    assert (second["is_anomaly"], second["cause"]) == (False, None)


def test_a_real_server_keeps_one_point_an_identity(real: RealInflux, front: HttpDouble) -> None:
    """A batch written again adds nothing; the version that scored last is the one stored."""
    sink = InfluxSink(settings(front.url))
    for version in ("v1", "v1", "v2"):
        sink.write([scored_batch(10, sensor_ids=["twice"] * 10, model_version=version)])
    found = real.query("SELECT model_version FROM anomaly_score WHERE sensor_id = 'twice'")
    assert [point["model_version"] for point in found] == ["v2"] * 10


@pytest.mark.parametrize(
    "sensor",
    ["a b", "a,b", "a=b", "a\\b", "a\\ b", "\\", "a\\", '"', "läuft 🔧", "a\\,model=x", "#x"],
    ids=lambda text: text,
)
def test_a_real_server_reads_every_sensor_id(
    real: RealInflux, front: HttpDouble, sensor: str
) -> None:
    """No id forges a tag, and each is found under its name (a space behind a last backslash)."""
    batch = scored_batch(1, sensor_ids=[sensor], model=f"m{abs(hash(sensor))}")
    InfluxSink(settings(front.url)).write([batch])
    points = real.query("SELECT score, model, sensor_id FROM anomaly_score")
    expected = sensor + " " if sensor.endswith("\\") else sensor
    assert [p["sensor_id"] for p in points if p["model"] == batch.model] == [expected]


def test_a_real_server_reads_a_sensor_id_that_hides_the_end_of_its_line(
    real: RealInflux, front: HttpDouble
) -> None:
    """The readings before and after it are stored, too, and at the first request each."""
    sensors = ["hides-1", '\\ \\="hides-2', "hides-3"]
    batch = scored_batch(3, sensor_ids=sensors, model="hides")
    n = len(front.requests)
    assert InfluxSink(settings(front.url)).write([batch]) == []
    points = real.query("SELECT score, model, sensor_id FROM anomaly_score")
    assert {p["sensor_id"] for p in points if p["model"] == "hides"} == set(sensors)
    assert len(front.requests) - n == 2


@pytest.mark.parametrize(
    ("wrong", "named"),
    [({"token": "other"}, "INFLUXDB_TOKEN"), ({"bucket": "nowhere"}, "INFLUXDB_BUCKET")],
    ids=["token", "bucket"],
)
def test_a_real_server_refuses_a_wrong_setting(
    front: HttpDouble, wrong: dict[str, str], named: str
) -> None:
    """The message names it."""
    with pytest.raises(SinkUnavailableError, match=named):
        InfluxSink(settings(front.url, **wrong), Waits()).write([scored_batch(1)])


def test_a_real_server_takes_a_large_batch(real: RealInflux, front: HttpDouble) -> None:
    """5,000 readings in one request."""
    InfluxSink(settings(front.url)).write([scored_batch(5_000, sensor_ids=["many"] * 5_000)])
    (found,) = real.query("SELECT count(score) FROM anomaly_score WHERE sensor_id = 'many'")
    assert found["count"] == 5_000


def partial_write(bad: str, status: int) -> HttpDouble:
    """Refuse every request with a line that holds `bad`; a partial write says how many."""

    def answer(request: Request) -> Answer:
        n_bad = sum(bad in line for line in request.text.split("\n"))
        said = f"partial write: beyond retention dropped={n_bad}" if status == 422 else "no"
        return Answer(status, body=said.encode()) if n_bad else Answer()

    return HttpDouble(answer)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_line_that_the_server_refuses_costs_none_of_its_neighbours(status: int) -> None:
    """It is told apart by halves and returned with the server's words; the others are stored."""
    batches = [scored_batch(5), scored_batch(4, first=5)]
    bad = batches[1].event_time_ns[2]
    with partial_write(f" {bad}", status).running() as server:
        (refused,) = InfluxSink(settings(server.url), Waits()).write(batches)
    assert (refused.batch, refused.row) == (batches[1], 2)
    assert f"influxdb answered {status}" in refused.message
    last = {line: request for request in server.requests for line in request.text.split("\n")}
    assert len(last) == 9
    assert [line for line, request in last.items() if f" {bad}" in request.text] == [
        line for line in last if line.endswith(f" {bad}")
    ]


def test_a_batch_that_is_refused_whole_takes_one_request() -> None:
    """The server says how many lines it dropped: all of them, such as a day of old readings."""
    batch = scored_batch(200)
    with partial_write("score", 422).running() as server:
        refused = InfluxSink(settings(server.url), Waits()).write([batch])
    assert [one.row for one in refused] == list(range(200))
    assert len(server.requests) == 1
