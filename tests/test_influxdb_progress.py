"""Tests of scoring.sinks.influxdb_progress: writes that end, whatever the server can take."""

import json

import numpy as np
import pytest

from scoring.errors import SinkThrottledError, SinkUnavailableError
from scoring.scored import ScoredBatch
from scoring.sinks import influxdb_progress
from scoring.sinks.line_protocol import lines
from tests.counted_influx import Plant, Respond, bad_lines, plant, refuses_all, takes, throttled
from tests.http_double import Answer
from tests.scored_batches import scored_batch


def naming(bad: set[str], how: str) -> Respond:
    """Refuse some lines, and name them in the manner of a server."""

    def answer(sent: list[str]) -> Answer:
        numbers = [number for number, line in enumerate(sent, 1) if line in bad]
        if not numbers:
            return Answer()
        return Answer(400, body=_said(how, sent, numbers).encode())

    return answer


def _said(how: str, sent: list[str], numbers: list[int]) -> str:
    if how == "text":
        said = [f"unable to parse '{sent[n - 1]}': invalid field format" for n in numbers]
        return json.dumps({"code": "invalid", "message": "\n".join(said)})
    told = {
        "numbers": numbers,
        "the first": numbers[:1],
        "others": [n for n in range(1, len(sent) + 1) if n not in numbers] or [1],
        "nobody": [],
    }[how]
    data = [{"line_number": n, "error_message": f"bad {n}"} for n in told]
    return json.dumps({"error": "partial write of line protocol occurred", "data": data})


@pytest.mark.parametrize(
    ("how", "most"),
    [("numbers", 2), ("text", 2), ("the first", 10), ("others", 10), ("nobody", 10)],
)
def test_what_is_refused_is_found_however_the_server_names_it(how: str, most: int) -> None:
    """Each line is sent twice where each is named; wrong or missing names lose nothing."""
    batch = scored_batch(500)
    rows = sorted({int(row) for row in np.random.default_rng(1).integers(0, 500, 300)})
    bad = bad_lines(batch, rows)
    with plant(naming(bad, how)) as found:
        refused = found.sink.write([batch])
    assert sorted(one.row for one in refused) == rows
    assert set(found.stored().values()) == set(lines([batch]).split("\n")) - bad
    assert found.n_lines <= most * 500


def test_lines_that_share_an_identity_are_stored_in_order() -> None:
    """The last one stays, though the server names the one before it, and takes it then."""
    first, last = scored_batch(1), scored_batch(1, model_version="v2")
    named = iter([Answer(400, body=_said("numbers", [], [1, 3]).encode())])
    with plant(lambda _: next(named, Answer())) as found:
        assert found.sink.write([first, last, scored_batch(1, first=5)]) == []
    assert 'model_version="v2"' in next(iter(found.stored().values()))


@pytest.mark.parametrize("request_s", [1.0, 100.0])
def test_a_write_that_finds_refused_lines_ends_in_time(request_s: float) -> None:
    """After four minutes and a request, and spilled: the host would end the process."""
    with plant(refuses_all, request_s) as found:
        with pytest.raises(SinkUnavailableError, match="in the time for one write") as caught:
            found.sink.write([scored_batch(400)])
        assert 240 <= found.now <= 240 + request_s
    assert not isinstance(caught.value, SinkThrottledError)


def test_a_batch_of_which_every_line_is_refused_ends() -> None:
    """Each line is sent alone, and no request twice; each write goes on where the last ended."""
    with plant(refuses_all, request_s=1.0) as found:
        refused, n_writes = found.write_until_done(scored_batch(400))
        assert [one.row for one in refused] == list(range(400))
        assert (found.n_requests, n_writes) == (2 * 400 - 1, 4)


def test_a_large_batch_gets_through_a_throttled_server() -> None:
    """Five requests at a time, of the eight that it needs: the first five are not sent again."""
    batch = scored_batch(40_000)
    with plant(throttled(5)) as found:
        with pytest.raises(SinkThrottledError):
            found.sink.write([batch])
        assert found.sink.write([batch]) == []
    assert [line for sent in found.taken for line in sent] == lines([batch]).split("\n")


def test_a_refused_line_is_found_through_a_throttled_server() -> None:
    """Halving it takes more requests than one write has: what was halved is remembered as well."""
    batch = scored_batch(5_000)
    with plant(throttled(3, naming(bad_lines(batch, [0]), "nobody"))) as found:
        (refused,), n_writes = found.write_until_done(batch)
        assert (refused.row, len(found.stored())) == (0, 4_999)
        assert n_writes == 9  # 25 requests


def test_a_server_that_falters_all_the_time_gets_a_large_batch_at_last() -> None:
    """Errors of the server end a write after four minutes; what it took till then counts."""
    turns = iter(range(10_000))
    batch = scored_batch(100_000)
    with plant(lambda _: Answer(204 if next(turns) % 3 == 2 else 503), 15.0) as found:
        refused, n_writes = found.write_until_done(batch)
    assert (refused, n_writes, len(found.taken)) == ([], 4, 20)


def unwanted(_: object) -> None:
    """Fail where something is done for nothing."""
    raise AssertionError("costs time")


def given_up(found: Plant, batch: ScoredBatch, n: int = 5) -> None:
    """Write a batch to a server that takes so many requests of it."""
    found.respond = throttled(n)
    with pytest.raises(SinkThrottledError):
        found.sink.write([batch])
    found.respond = takes
    found.taken.clear()


def test_readings_that_were_scored_anew_are_written_whole() -> None:
    """What was stored of them has another content."""
    with plant(takes) as found:
        given_up(found, scored_batch(30_000))
        found.sink.write([scored_batch(30_000, model_version="v2")])
        assert len(found.taken) == 6


def test_what_was_written_with_another_content_meanwhile_is_written_again() -> None:
    """The one written last stays, as if nothing had been remembered."""
    with plant(takes) as found:
        given_up(found, scored_batch(30_000))
        found.sink.write([scored_batch(1, first=7, model_version="v2")])
        found.sink.write([scored_batch(30_000)])
        assert set(found.stored().values()) == set(lines([scored_batch(30_000)]).split("\n"))


def test_batches_of_others_leave_the_progress_of_one() -> None:
    """Else a partition with much to write would never get on beside the others."""
    with plant(takes) as found:
        given_up(found, scored_batch(30_000))
        found.sink.write([scored_batch(1_000, first=30_000)])
        given_up(found, scored_batch(10_000, first=40_000), 1)
        found.sink.write([scored_batch(30_000)])
        assert len(found.taken) == 1


def test_two_writes_of_the_same_lines_go_on_for_themselves() -> None:
    """A batch may be drained by one thread while another tries the store with it."""
    with plant(takes) as found:
        given_up(found, scored_batch(30_000))
        text = lines([scored_batch(30_000)]).split("\n")
        found.sink._unfinished.progress(text).waiting.clear()
        assert len(found.sink._unfinished.progress(text).waiting) == 1


def test_what_is_done_is_written_again_when_it_comes_again() -> None:
    """A point may be deleted, and its reading replayed."""
    with plant(takes) as found:
        given_up(found, scored_batch(30_000))
        found.sink.write([scored_batch(30_000)])
        found.sink.write([scored_batch(30_000)])
        assert len(found.taken) == 1 + 6


@pytest.mark.parametrize(("seconds", "n_requests"), [(898.0, 1), (900.0, 6)])
def test_progress_is_remembered_for_a_quarter_of_an_hour(seconds: float, n_requests: int) -> None:
    """A batch that is held comes again within a minute."""
    with plant(takes) as found:
        given_up(found, scored_batch(30_000))
        found.sleep(seconds)
        found.sink.write([scored_batch(30_000)])
        assert len(found.taken) == n_requests


def test_what_is_remembered_no_longer_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may have finished the write; this one looks for it no more."""
    with plant(takes) as found:
        given_up(found, scored_batch(10_000), 1)
        found.sleep(900)
        monkeypatch.setattr(influxdb_progress, "_digest", unwanted)
        monkeypatch.setattr(influxdb_progress, "_identities", unwanted)
        assert found.sink.write([scored_batch(10, first=20_000)]) == []


def test_a_write_that_saw_a_bucket_before_it_was_lost_keeps_nothing() -> None:
    """Another write found that it is gone; then it was made anew, and has none of the lines."""
    batch, answers = scored_batch(15_000), iter([Answer(), Answer(), Answer(429)])
    with plant(takes) as found:

        def respond(_: list[str]) -> Answer:
            answer = next(answers, Answer(429))
            if answer.status != 204:
                found.sink._unfinished.clear()  # as where another write meets a 404
            return answer

        found.respond = respond
        with pytest.raises(SinkThrottledError):
            found.sink.write([batch])
        found.respond = takes
        found.taken.clear()
        found.sink.write([batch])
        assert len(found.taken) == 3


def test_a_bucket_that_is_gone_has_nothing_stored() -> None:
    """Once it is made again, everything is written."""
    with plant(takes) as found:
        given_up(found, scored_batch(30_000))
        found.respond = lambda _: Answer(404)
        with pytest.raises(SinkUnavailableError):
            found.sink.write([scored_batch(1, first=50_000)])
        found.respond = takes
        found.sink.write([scored_batch(30_000)])
        assert len(found.taken) == 6


def test_an_outage_costs_no_progress() -> None:
    """What was known before it still holds; what was stored since is written again over itself."""
    with plant(takes) as found:
        given_up(found, scored_batch(30_000))
        found.respond = lambda _: Answer(503)
        with pytest.raises(SinkUnavailableError):
            found.sink.write([scored_batch(30_000)])
        found.respond = takes
        found.sink.write([scored_batch(30_000)])
        assert len(found.taken) == 1


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes first."""
    monkeypatch.setattr(influxdb_progress, "_MOST_BYTES", 20_000 * influxdb_progress._BYTES_A_LINE)
    with plant(takes) as found:
        given_up(found, scored_batch(10_000), 1)
        given_up(found, scored_batch(10_000, first=10_000), 1)
        given_up(found, scored_batch(10_000, first=20_000), 1)
        for first, n_requests in ((0, 2), (10_000, 1), (20_000, 1)):
            found.taken.clear()
            found.sink.write([scored_batch(10_000, first=first)])
            assert len(found.taken) == n_requests


def test_a_write_that_is_not_given_up_remembers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs no digest of its lines, nor of its identities."""
    monkeypatch.setattr(influxdb_progress, "_digest", unwanted)
    monkeypatch.setattr(influxdb_progress, "_identities", unwanted)
    with plant(takes) as found:
        assert found.sink.write([scored_batch(10)]) == []
