"""What is read back from storage: dead letters, spill, status records, manifests, pointers.

An input is a byte that names the kind of file, and the file.
"""

import hashlib
import json

import msgspec

from fuzz.doubles import NOW, Bench, KeptSink, artifact, bench
from fuzz.findings import expect
from fuzz.model_checks import check_load
from fuzz.scored_checks import check_lines, check_values
from fuzz.tokens import JSON, KEYS, PATHS, TEXT
from replay.letter_batches import batches, events_of
from scoring.artifacts import load_published
from scoring.dead_letters import DeadLetters
from scoring.errors import ArtifactRejectedError
from scoring.event_batch import EventBatch
from scoring.events import ReadingKeys
from scoring.letters import DeadLetter
from scoring.manifest import read_manifest
from scoring.pipeline import Policy, score_batch
from scoring.registry import CURRENT, Registry
from scoring.routing import Routes
from scoring.spilled_batch import SpilledBatch
from scoring.status import StatusRecord

_READING = b'{"sensor_id": "pump-1", "time": 1777636800, "temperature": 20, "vibration": 1}'
_POLICY = Policy(ReadingKeys(("sensor_id",)), Routes((), "default"))
_SPILLED = "kept/00000000000000000001.msgpack"


class StoredFiles:
    """A damaged file is told of and left; it stops nothing and takes nothing with it."""

    tokens = (
        *JSON,
        *TEXT,
        *KEYS,
        *PATHS,
        b'"enqueued_time":"',
        b'"sequence_number":-1',
        b'"raw_base64":"====',
        b'"written_time":"2026-05-01T12:00:00"',
        b'"version":"',
        b'"anomaly_class":',
        b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xdd\xff\xff\xff\xff",
        b"\xc0",
        b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00",
    )

    def __init__(self) -> None:
        self._artifact, self._kept = artifact(), KeptSink()
        self._bench: Bench = bench(_POLICY, [self._kept], self._artifact)
        self._ways = (self._letters, self._spill, self._status, self._manifest, self._current)

    def seeds(self) -> list[bytes]:
        """Make one good file of each kind, as the app writes it."""
        delivery = self._bench.delivery
        events = EventBatch(
            "hub", "0", [_READING, b"[%b,{}]" % _READING, b"\xff"], [7, 8, 9], [0] * 3,
            ["key", None, None], [None, "device", None],
        )  # fmt: skip
        outcome = score_batch(events, delivery.cache.snapshot(), delivery.policy)
        self._bench.containers["dead-letter"].files.clear()
        delivery.dead_letters.write(events, outcome.rejected, NOW)
        (letters,) = self._bench.containers["dead-letter"].files.values()
        status = StatusRecord(
            instance="fuzz", written_time=NOW, last_batch_time=NOW, models={}, counts={"scored": 1},
            rejected={"no_route": 1}, sinks={"kept": "open"}, lag_p50_ms=1.0, lag_max_ms=2.0,
            stores={"kept:written": 1},
        )  # fmt: skip
        files = (
            letters.data,
            msgspec.msgpack.encode(SpilledBatch.of(events, outcome.scored[0])),
            msgspec.json.encode(status),
            msgspec.json.encode(self._artifact.manifest),
            self._bench.containers["models"].files[f"default/{CURRENT}"].data,
        )
        return [bytes([kind]) + file for kind, file in enumerate(files)]

    def run(self, data: bytes) -> None:
        """Put the file where the app looks for it, and let it look."""
        if data:
            self._ways[data[0] % len(self._ways)](data[1:])

    def _letters(self, file: bytes) -> None:
        container = self._bench.containers["dead-letter"]
        container.files.clear()
        container.put("hub/0/1.ndjson", file)
        kept = DeadLetters(container)
        for found in list(kept.files()):
            expect(bool(found.letters) != (found.fault is not None), "neither letters nor a fault")
            if found.letters:
                self._replayed(found.letters)
                kept.settle(found, found.letters[:1])
        kept.summary(NOW)

    def _replayed(self, letters: tuple[DeadLetter, ...]) -> None:
        for one in batches(letters):
            events = events_of(one)
            outcome = score_batch(events, self._bench.delivery.cache.snapshot(), _POLICY)
            expect(outcome.received >= len(one), "letters that are neither scored nor rejected")
            check_values(outcome.scored)
            check_lines(outcome.scored)
            self._bench.delivery.dead_letters.write(events, outcome.rejected, NOW)

    def _spill(self, file: bytes) -> None:
        container = self._bench.containers["spill"]
        container.files.clear()
        container.put(_SPILLED, file)
        drained = self._bench.delivery.drain_spill(10.0)
        batches = self._kept.taken()
        gone = _SPILLED not in container.files
        expect(gone == bool(batches), "a file is gone that was not written, or stays that was")
        expect(drained == sum(map(len, batches)), "drained others than were written")

    def _status(self, file: bytes) -> None:
        container = self._bench.containers["status"]
        container.files.clear()
        container.put("fuzz.json", file)
        health = self._bench.http.health()
        expect(json.loads(health.body())["status"], "health without a status")
        self._bench.delivery.status.sweep()

    def _manifest(self, file: bytes) -> None:
        try:
            manifest = read_manifest(file, artifact="default/v1")
        except ArtifactRejectedError:
            return
        data = self._artifact.data
        fits = msgspec.structs.replace(manifest, sha256=hashlib.sha256(data).hexdigest())
        check_load(lambda: load_published(data, fits, trusted=frozenset(), feature_keys=None))

    def _current(self, file: bytes) -> None:
        container = self._bench.containers["models"]
        before = dict(container.files)
        container.put(f"default/{CURRENT}", file)
        registry = Registry(container)
        try:
            found = registry.fetch("default", None)
            if hasattr(found, "load"):
                found.load()
            registry.point("default", "v2")
        except ArtifactRejectedError:
            pass
        finally:
            container.files = before


def make() -> StoredFiles:
    """Make the surface."""
    return StoredFiles()
