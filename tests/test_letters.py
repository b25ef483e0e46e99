"""Tests of scoring.letters: a rejected reading is written down, and comes back as it arrived."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from scoring.event_batch import EventBatch
from scoring.events import Rejected
from scoring.letters import INTERNAL, DeadLetter, dead_letter, whole_events
from tests.event_batches import ENQUEUED_NS, event_batch

NOW = datetime(2026, 5, 1, 12, 0, 5, tzinfo=UTC)


def rejected(raw: bytes = b"{}", message: str = "expected JSON") -> Rejected:
    """Reject the first event of a batch."""
    return Rejected(0, 0, raw, "invalid_json", message)


def letter(raw: bytes = b"{}", batch: EventBatch | None = None) -> DeadLetter:
    """Write down a reading, and read it back."""
    written = dead_letter(batch or event_batch([raw]), rejected(raw), NOW)
    return msgspec.json.decode(msgspec.json.encode(written), type=DeadLetter)


@pytest.mark.parametrize(
    ("raw", "is_text"),
    [(b"", True), ("é\u2028".encode(), True), (b"\xff", False), (b"\xed\xa0\x80", False)],
    ids=["empty", "beyond ASCII", "not UTF-8", "half a pair"],
)
def test_a_reading_is_text_where_it_can_be(raw: bytes, is_text: bool) -> None:
    """A person reads it; anything else is base64, and both come back exactly."""
    found = letter(raw)
    assert (found.raw is not None, found.raw_base64 is not None) == (is_text, not is_text)
    assert found.raw_bytes() == raw


@pytest.mark.parametrize("nanoseconds", [0, 1, 123_456_789])
def test_the_enqueued_time_is_kept_to_the_nanosecond(nanoseconds: int) -> None:
    """A reading without a time has its identity from it."""
    enqueued_ns = ENQUEUED_NS // 10**9 * 10**9 + nanoseconds
    batch = replace(event_batch([b"{}"]), enqueued_ns=[enqueued_ns])
    assert letter(batch=batch).enqueued_ns == enqueued_ns


def test_the_time_of_rejection_is_utc() -> None:
    """Whatever clock it was taken from."""
    there = NOW.astimezone(timezone(timedelta(hours=2)))
    found = dead_letter(event_batch([b"{}"]), rejected(), there)
    assert found.rejected_time == "2026-05-01T12:00:05.000+00:00"


def test_texts_that_no_file_can_hold_are_written_out() -> None:
    """Halves of surrogate pairs come from JSON escapes and from names of devices."""
    batch = replace(event_batch([b"{}"]), partition_keys=["\ud800"], device_ids=[None])
    found = dead_letter(batch, replace(rejected(message="no \udfff"), field="\ud801"), NOW)
    assert (found.message, found.field) == (r"no \udfff", r"\ud801")
    assert (found.partition_key, found.device_id) == (r"\ud800", None)


def test_copies_of_a_letter_share_an_identity() -> None:
    """However often it is rejected; another place, reason or hub's time is another letter."""
    batch = event_batch([b"{}"])
    first = dead_letter(batch, rejected(), NOW)
    again = dead_letter(batch, rejected(message="other words"), NOW + timedelta(hours=1))
    assert first.identity == again.identity
    for change in (
        {"hub": "other"},
        {"partition": "9"},
        {"sequence_number": 99},
        {"index": 1},
        {"reason": INTERNAL},
        {"enqueued_time": "2020-01-01T00:00:00Z"},
    ):
        assert msgspec.structs.replace(first, **change).identity != first.identity


def test_every_event_of_a_batch_is_turned_away_whole() -> None:
    """A fault of this program says nothing of single readings."""
    found = whole_events(event_batch([b"[1,2]", b"\xff"]), "TypeError: a bug")
    assert [(one.event, one.index, one.raw) for one in found] == [(0, 0, b"[1,2]"), (1, 0, b"\xff")]
    assert {(one.reason, one.message) for one in found} == {(INTERNAL, "TypeError: a bug")}
