"""Tests of scoring.sinks.influxdb: requests that hold every line, refused lines told apart."""

from functools import partial
from pathlib import Path

import pytest

from scoring.sinks.influxdb import InfluxSink
from scoring.sinks.line_protocol import lines
from tests.at_once import at_once
from tests.event_batches import ENQUEUED_NS
from tests.http_double import Answer, answering
from tests.influx_sinks import partial_write, settings
from tests.influxd_server import TOKEN
from tests.moved_time import Waits
from tests.scored_batches import scored_batch


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


def test_nothing_is_asked_where_nothing_is_to_write() -> None:
    """No request for a batch in which every reading was rejected."""
    with answering(Answer()).running() as server:
        InfluxSink(settings(server.url)).write([])
    assert server.requests == []


def test_threads_share_one_client() -> None:
    """Partitions write at the same time; none of their lines gets lost."""
    with answering(Answer()).running() as server:
        sink = InfluxSink(settings(server.url))
        at_once([partial(sink.write, [scored_batch(1, first=i)]) for i in range(16)])
    times = {int(request.text.rsplit(" ")[-1]) for request in server.requests}
    assert times == {ENQUEUED_NS + i * 10**9 for i in range(16)}


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
