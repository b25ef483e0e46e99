"""Tests of scoring.sinks.influxdb_answers: what a server's words mean, and what they do not."""

import json
from collections.abc import Sequence

import pytest

from scoring.errors import SinkUnavailableError
from scoring.settings import InfluxSettings
from scoring.sinks.influxdb import InfluxSink
from scoring.sinks.influxdb_answers import RefusedError
from tests.http_double import Answer, HttpDouble, Request, answering
from tests.scored_batches import scored_batch

LINES = ("a,t=1 v=1 10", "a,t=2 v=1 11", "a,t=3 v=1 12")
PAGE = b"<!doctype html><title>Plant portal</title>"


def sink(url: str) -> InfluxSink:
    """Make a sink that waits for nothing."""
    return InfluxSink(InfluxSettings(url, "plant", "scores", "token"), lambda _: None)


def by_number(*numbers: object, error: str = "partial write of line protocol occurred") -> str:
    """Say which lines are refused, as InfluxDB 3 does."""
    data = [
        {"original_line": "a", "line_number": number, "error_message": f"bad {number}"}
        for number in numbers
    ]
    return json.dumps({"error": error, "data": data})


def by_text(*lines: str, end: str = "") -> str:
    """Say which lines cannot be read, as InfluxDB 1 and 2 do."""
    said = "\n".join(f"unable to parse '{line}': invalid field format" for line in lines)
    return json.dumps({"code": "invalid", "message": said + end})


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200),
        Answer(200, body=PAGE),
        Answer(201),
        Answer(201, body=PAGE),
        Answer(202, body=b"{}"),
        Answer(301, {"Location": "/elsewhere"}),
        Answer(303, {"Location": "/elsewhere"}),
        Answer(307, {"Location": "/elsewhere"}),
        Answer(400, body=PAGE),
        Answer(422, body=b"\xef\xbb\xbf\r\n<html>"),
    ],
    ids=lambda answer: f"{answer.status}-{len(answer.body)}",
)
def test_only_204_tells_that_readings_are_stored(answer: Answer) -> None:
    """What answers otherwise is no InfluxDB: nothing is refused, and the setting is named."""
    with (
        answering(answer).running() as server,
        pytest.raises(
            SinkUnavailableError, match=f"{answer.status}, as no InfluxDB does; set INFLUXDB_URL"
        ),
    ):
        sink(server.url).write([scored_batch(3)])
    assert len(server.requests) == 1  # no redirect is followed, and no line asked for alone


def test_a_part_that_is_stored_with_201_leaves_the_refused_lines_to_be_found() -> None:
    """As InfluxDB 3 answered for a while; nothing else of it means that all is stored."""
    batch = scored_batch(40)
    bad = str(batch.event_time_ns[23])

    def answer(request: Request) -> Answer:
        lines = request.text.split("\n")
        if not request.text.count(bad):
            return Answer()
        said = b'{"code":"invalid","message":"failed to parse line protocol: some lines"}'
        return Answer(400 if len(lines) == 1 else 201, body=said)

    with HttpDouble(answer).running() as server:
        (refused,) = sink(server.url).write([batch])
    assert refused.row == 23
    sent = {line for r in server.requests if bad not in r.text for line in r.text.split("\n")}
    assert len(sent) == 39


@pytest.mark.parametrize("status", [413, 400])
def test_a_request_that_is_too_large_for_a_gate_is_parted(status: int) -> None:
    """A proxy says so in a page of its own; any other page it shows is no word on the lines."""

    def answer(request: Request) -> Answer:
        return Answer(status, body=PAGE) if request.text.count("\n") >= 10 else Answer()

    with HttpDouble(answer).running() as server:
        if status == 413:
            assert sink(server.url).write([scored_batch(40)]) == []
        else:
            with pytest.raises(SinkUnavailableError, match="INFLUXDB_URL"):
                sink(server.url).write([scored_batch(40)])


@pytest.mark.parametrize("status", [503, 404])
def test_a_page_in_any_encoding_is_read(status: int) -> None:
    """It is an outage, and no bug, whatever a proxy writes in it."""
    with (
        answering(Answer(status, body="Störung".encode("latin-1"))).running() as server,
        pytest.raises(SinkUnavailableError, match=f"answered {status}"),
    ):
        sink(server.url).write([scored_batch(1)])


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (by_number(3, 1), {0: "bad 1", 2: "bad 3"}),
        (by_text(LINES[1]), {1: "unable to parse: invalid field format"}),
        (by_text(LINES[2], LINES[0], end=" dropped=0"), {0: "dropped=0", 2: "unable to parse"}),
        ("partial write: beyond retention dropped=3", {0: "beyond", 1: "beyond", 2: "beyond"}),
    ],
    ids=["numbers", "text", "some text", "count"],
)
def test_lines_that_the_server_names_are_found(body: str, named: dict[int, str]) -> None:
    """With what it says of each; a count names them only where it is that of all."""
    told = RefusedError(400, body).told(LINES)
    assert sorted(told) == sorted(named)
    assert all(words in told[row] for row, words in named.items())
    assert all(message.startswith("influxdb answered 400: ") for message in told.values())


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no",
        "[1, 2]",
        "[" * 100_000,
        '{"message": null}',
        by_number(0),
        by_number(4),
        by_number(True),
        by_number("1"),
        by_number(2, None),
        '{"data": [1, 2, 3]}',
        '{"data": {"line_number": 1}}',
        by_text("a,t=9 v=1 10"),
        by_text(LINES[0])[:30],
        "partial write: beyond retention dropped=2",
        "partial write: beyond retention dropped=0",
        "unable to parse 'a v=\"dropped=3\" 1': bad",
    ],
)
def test_words_that_fit_no_line_name_none(body: str) -> None:
    """Then the request is halved."""
    assert RefusedError(400, body).told(LINES) == {}


@pytest.mark.parametrize("lines", [LINES[:1], LINES], ids=["alone", "all of them"])
def test_a_line_that_was_sent_alone_is_the_one_that_is_refused(lines: Sequence[str]) -> None:
    """Whatever the server says."""
    assert len(RefusedError(400, "no").told(lines)) == (1 if len(lines) == 1 else 0)


def test_a_message_is_bounded() -> None:
    """A dead letter keeps it."""
    assert all(len(m) == 300 for m in RefusedError(400, "x" * 9_999).told(LINES[:1]).values())
