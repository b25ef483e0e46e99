"""Any bytes, from HTTP and from the hub: readings or rejections, in bounded time and memory."""

import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.letter_batches import events_of
from scoring.events import ReadingKeys, read_events
from scoring.json_bodies import MOST_READINGS
from scoring.letters import dead_letter
from scoring.names import is_plain_path
from scoring.settings import _instance
from tests.deployments import Deployment, deployed
from tests.event_batches import body, event_batch
from tests.small_models import publish, small_model

TEN_MB = 10_000_000
# Traced: 241 MB at the most; without a bound on the readings of a body 5,767.
MOST_MB = 400
MOST_SECONDS = 15  # of this process; measured: 1.5 at the most, without a bound 41


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Build an app with a model."""
    with deployed(tmp_path_factory.mktemp("any")) as deployment:
        publish(deployment.models, small_model())
        yield deployment


def repeated(begin: bytes, piece: bytes, end: bytes = b"") -> Callable[[], bytes]:
    """Make a body of 10 MB when it is needed."""
    times = (TEN_MB - len(begin) - len(end)) // len(piece)
    return lambda: begin + piece * times + end


BODIES = {
    "numbers": (repeated(b"[", b"1,", b"1]"), MOST_READINGS + 1),
    "NaN": (repeated(b"[", b"NaN,", b"1]"), MOST_READINGS + 1),
    "broken lines": (repeated(b"{}\n", b"x\n"), MOST_READINGS + 1),
    "nested arrays": (repeated(b"", b"["), 1),
    "nested objects": (repeated(b"", b'{"a":'), 1),
    "a number": (repeated(b'{"temperature":', b"9", b"}"), 1),
    "a text": (repeated(b'{"sensor_id":"', b"a", b'"}'), 1),
    "white space": (repeated(b"", b" "), 1),
    "quotes": (repeated(b"", b'"'), 1),
    "no UTF-8": (repeated(b"", b"\xff"), 1),
}


@pytest.mark.parametrize(("make", "n"), BODIES.values(), ids=BODIES.keys())
def test_a_body_of_10_mb_is_answered_in_bounded_time(
    ready: Deployment, make: Callable[[], bytes], n: int
) -> None:
    """Every element is a reading or a rejection, and what is too much is one rejection."""
    sent = make()
    began = time.process_time()
    response = ready.app.http.score(sent, {"store": "true"})
    assert (response.status, len(response.document["rejected"])) == (422, n)
    assert time.process_time() - began < MOST_SECONDS


@pytest.mark.parametrize(
    "make",
    [repeated(b"[", b"{},", b"{}]"), repeated(b"", b"{}\n"), repeated(b"{}\n", b"x\n")],
    ids=["empty objects", "empty lines", "broken lines"],
)
def test_a_body_of_10_mb_is_answered_in_bounded_memory(
    ready: Deployment, make: Callable[[], bytes]
) -> None:
    """These take the most memory of all that were measured."""
    sent = make()
    tracemalloc.start()
    try:
        assert ready.app.http.score(sent, {}).body()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MOST_MB * 1_000_000


def digits(field: str) -> bytes:
    """Make a reading with a number of 5,000 digits."""
    return body(0, **{field: 0}).replace(b" 0,", b"9" * 5_000 + b",")


STRANGE = {
    "nested": (b"[" * 100_000, "too_deep"),
    "nested and closed": (b"[" * 100_000 + b"]" * 100_000, "too_deep"),
    "nested in a reading": (b'{"x":' * 100_000 + b"1" + b"}" * 100_000, "too_deep"),
    "1e400": (body(0).replace(b'"vibration":', b'"vibration":1e400,"v":'), "feature_not_finite"),
    "5,000 digits": (digits("temperature"), "feature_not_finite"),
    "a time of 5,000 digits": (digits("timestamp"), "bad_event_time"),
    "half a surrogate pair": (body(0, sensor="\ud800"), "bad_sensor_id"),
    "NUL": (body(0, sensor="a\x00b"), "bad_sensor_id"),
    "line break": (body(0, sensor="a\nb"), "bad_sensor_id"),
    "next line": (body(0, sensor="a\x85b"), "bad_sensor_id"),
}


@pytest.mark.parametrize(("sent", "reason"), STRANGE.values(), ids=STRANGE.keys())
def test_what_no_store_could_hold_is_a_dead_letter(
    ready: Deployment, sent: bytes, reason: str
) -> None:
    """Its neighbours are scored, and nothing is a fault of the program."""
    number = abs(hash(sent)) % 10**9
    batch = event_batch([sent, body(1)], hub=ready.hub, first=number)
    counts = ready.app.delivery.deliver(batch)
    assert (counts.scored, dict(counts.rejected)) == (1, {reason: 1})
    assert [one.raw_bytes() for one in ready.letters() if one.sequence_number == number] == [sent]


def test_what_was_too_much_is_read_by_a_replay_with_its_own_places() -> None:
    """The identity of a reading without a time comes from its index in the body."""
    keys, n = ReadingKeys(("sensor_id",)), MOST_READINGS
    sent = event_batch([b"[" + b",".join(b'{"a":%d}' % i for i in range(n + 2)) + b"]"], first=7)
    readings, (rest,) = read_events(sent, keys)
    assert (len(readings), rest.reason, rest.index) == (n, "too_many_readings", n)
    letter = dead_letter(sent, rest, datetime.now(UTC))
    replayed, rejected = read_events(events_of([letter]), keys)
    assert (replayed.payloads, rejected) == ([{"a": n}, {"a": n + 1}], [])
    assert replayed.indexes.tolist() == [n, n + 1]


UNUSUAL = [
    "\u202epmup",
    "e\u0301",
    "\ufffe\uffff",
    "\ufeffpump",
    "\U0001f3ed",
    "\u2028",
    "../../x",
    "a,b=c \\",
]


@pytest.mark.parametrize("sensor", UNUSUAL, ids=ascii)
def test_unusual_text_is_stored_as_it_came(ready: Deployment, sensor: str) -> None:
    """BiDi, combining, non-characters, a byte order mark, other planes, what looks like a path."""
    ready.app.delivery.deliver(event_batch([body(7, sensor=sensor)], hub=ready.hub))
    assert sensor in {row["sensor_id"] for row in ready.rows()}


@given(st.text())
def test_no_name_of_an_instance_leads_out_of_the_container(name: str) -> None:
    """Azure's names are plain; a machine's may be anything."""
    assert is_plain_path(f"{_instance({'WEBSITE_INSTANCE_ID': name})}.json")


@pytest.mark.parametrize(
    "trick", ["../x", "/etc/passwd", "..\\x", "C:\\x", "a\x00", "%2e%2e/..", "~/.."]
)
def test_no_model_of_a_request_leads_to_a_file(ready: Deployment, trick: str) -> None:
    """Only the models of the settings are known."""
    assert ready.app.http.score(body(0), {"model": trick}).status == 404


def test_nothing_was_written_outside_of_the_folder(ready: Deployment, tmp_path: Path) -> None:
    """Hubs and partitions with ways out in their names stay in the container of dead letters."""
    before = {path.name for path in ready.data_dir.parent.iterdir()}
    for name in ("../../out", "..", "/out", "..\\out", "out\x00", "C:out", "." * 300):
        batch = event_batch([b"x"], hub=name, partition=name)
        ready.app.delivery.deliver(batch)
    assert {path.name for path in ready.data_dir.parent.iterdir()} == before
    assert all(path.resolve().is_relative_to(ready.data_dir) for path in ready.data_dir.rglob("*"))
