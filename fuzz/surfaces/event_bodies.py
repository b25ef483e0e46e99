"""Event bodies with their partition keys and device ids, from the trigger to every store.

An input is one byte of choices, then events; an event is its body, its partition key and its
device id.
"""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from fuzz.doubles import NOW, Bench, KeptSink, artifact, bench
from fuzz.findings import expect
from fuzz.scored_checks import (
    check_documents,
    check_lines,
    check_rows,
    check_spill,
    check_values,
)
from fuzz.tokens import EVENT, FIELD, JSON, KEYS, LINES, TEXT
from scoring.event_batch import EventBatch
from scoring.event_time import EPOCH
from scoring.events import ReadingKeys
from scoring.pipeline import Policy
from scoring.routing import Routes
from scoring.sinks.sqlite import SqliteSink

_KEYS = ("sensor_id", "device_id")
_POLICIES = (
    Policy(ReadingKeys(_KEYS), Routes((), "default")),
    Policy(ReadingKeys(_KEYS, "sequence"), Routes((), "default"), "median", 3),
    Policy(ReadingKeys(_KEYS), Routes((("pump-*", "default"), ("*,*", "other")), "default")),
)
_MOST_EVENTS = 50
# Doublings of an event that one byte can ask for: small inputs that grow to long bodies.
_MOST_DOUBLINGS, _LONGEST_BODY = 12, 200_000
_READING = (
    b'{"sensor_id": "pump-1", "timestamp": 1777636800123, "temperature": %s, "vibration": 1.0}'
)


@dataclass(frozen=True, slots=True)
class _Way:
    """One policy with its own app and stores."""

    bench: Bench
    kept: KeptSink
    rows: Path


class EventBodies:
    """Readings and rejections add up, and every store gets exactly the readings."""

    tokens = (*JSON, *TEXT, *LINES, *KEYS, EVENT, FIELD)

    def __init__(self) -> None:
        folder, model = Path(mkdtemp(prefix="fuzz-")), artifact()
        self._ways = []
        for number, policy in enumerate(_POLICIES):
            kept, path = KeptSink(), folder / f"{number}.sqlite"
            self._ways.append(_Way(bench(policy, [kept, SqliteSink(path)], model), kept, path))

    def seeds(self) -> list[bytes]:
        """One reading, several in every form, with every kind of place to take its sensor from."""
        one, hot = _READING % b"20.1", _READING % b"90"
        bodies = [
            one,
            b"[%b,%b]" % (one, hot),
            b"%b\n%b\n" % (one, hot),
            b'{"temperature":20,"vibration":1}' + FIELD + b"key" + FIELD + b"device",
            b'{"device_id":"a,b=c \\\\","features":{"temperature":21,"vibration":1,"x":[{}]}}',
            one.replace(b"pump-1", b'\\\\ \\\\=\\"x') + EVENT + one + EVENT + hot,
            one.replace(b"20.1", b"NaN"),
            one.replace(b"1777636800123", b'"2026-05-01T12:00:00.123456789+02:00"'),
            b"[]",
            b"\xef\xbb\xbf" + one,
        ]
        return [bytes([choice]) + body for choice in range(3) for body in bodies]

    def run(self, data: bytes) -> None:
        """Deliver one batch and look at everything that came out."""
        choice, events = data[0] if data else 0, _events(data)
        if not events.bodies:
            return
        way = self._ways[choice % len(self._ways)]
        way.kept.taken()  # what an input left that was a finding
        counts = way.bench.delivery.deliver(events)
        batches = way.kept.taken()
        check_rows(way.rows, batches)  # first: it takes the rows away
        letters = list(way.bench.delivery.dead_letters.read())
        way.bench.containers["dead-letter"].files.clear()
        expect(counts.unaccounted() == 0, f"{counts.unaccounted()} readings unaccounted for")
        for letter in letters:
            expect(letter.reason != "internal", f"internal: {letter.message}")
            expect(len(letter.message) < 1_000, "a message without end")  # noqa: PLR2004  # one line of a log
        rejected = Counter(letter.sequence_number for letter in letters)
        scored = Counter(n for batch in batches for n in batch.sequence_numbers.tolist())
        for event, body in enumerate(events.bodies):
            _check_count(body, scored[event] + rejected[event])
        for letter in letters:
            body = events.bodies[letter.sequence_number]
            expect(letter.raw_bytes() in body, "a dead letter of bytes that did not arrive")
        check_values(batches)
        check_lines(batches)
        check_documents(batches, _KEYS)
        check_spill(events, batches)


def _events(data: bytes) -> EventBatch:
    parts = [part.split(FIELD) for part in data[1:].split(EVENT)[:_MOST_EVENTS]]
    keys = [[_text(value) for value in (*part[1:3], b"", b"")[:2]] for part in parts]
    now = (NOW - EPOCH).days * 86_400_000_000_000
    return EventBatch(
        hub="hub",
        partition="0",
        bodies=[_grown(part[0], data[0]) for part in parts] if data else [],
        sequence_numbers=range(len(parts)),
        enqueued_ns=[now] * len(parts),
        partition_keys=[key for key, _ in keys],
        device_ids=[device for _, device in keys],
    )


def _grown(body: bytes, choice: int) -> bytes:
    """Double a body as often as the choice's upper half says, within a bound."""
    times = 1 << min(choice >> 4, _MOST_DOUBLINGS)
    return body * max(1, min(times, _LONGEST_BODY // max(len(body), 1)))


def _text(raw: bytes) -> str | None:
    return raw.decode("utf-8", "replace") if raw else None


def _check_count(body: bytes, n: int) -> None:
    """Compare with Python's own parser, wherever that reads the body."""
    try:
        value = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        expect(n > 0, "a body left neither a reading nor a rejection")
        return
    expected = len(value) or 1 if isinstance(value, list) else 1
    expect(n == expected, f"{n} readings and rejections of a body that holds {expected}")


def make() -> EventBodies:
    """Make the surface."""
    return EventBodies()
