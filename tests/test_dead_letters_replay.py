"""Tests of replay.dead_letters: after a fix every reading is scored as if it had been at once."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from replay import dead_letters, letter_batches
from replay.dead_letters import Replay, Selection
from scoring.breaker import Breaker
from scoring.cache import Snapshot
from scoring.dead_letters import DeadLetters
from scoring.delivery import Delivery
from scoring.errors import (
    ModelUnavailableError,
    SinkThrottledError,
    SinkUnavailableError,
    StorageUnavailableError,
)
from scoring.event_batch import EventBatch
from scoring.features import FloatArray
from scoring.outlets import Outlet
from scoring.scored import Refused, ScoredBatch, Sink
from scoring.storage import FolderStorage
from tests.deployments import Deployment, blob_settings, deployed
from tests.event_batches import ENQUEUED_NS, body, event_batch
from tests.small_models import publish, small_model

Deploy = Callable[..., Deployment]
NO_ROUTE = "kiln-*=default"
WITHOUT_TIME = body(7, timestamp=None).replace(b'"timestamp": null, ', b"")
WITHOUT_ID = body(8).replace(b'"sensor_id": "pump-1", ', b"")
# Every way in which an identity comes about.
GOOD = [
    body(11),
    WITHOUT_TIME,
    WITHOUT_ID,
    b"[%b, %b, %b]" % (WITHOUT_TIME, body(2), WITHOUT_TIME),
    b"%b\n%b\n" % (WITHOUT_TIME, WITHOUT_ID),
    body(3, timestamp="2026-05-01T12:00:00.123456789Z"),
]


@pytest.fixture(params=["folder", "azurite"])
def stored_in(request: pytest.FixtureRequest) -> dict[str, str]:
    """Set each kind of storage."""
    if request.param == "folder":
        return {}
    return blob_settings(request.getfixturevalue("azurite").connection_string)


@pytest.fixture
def deploy(tmp_path: Path) -> Iterator[Deploy]:
    """Return a function that builds the app anew on a folder of this test."""
    with ExitStack() as stack:

        def build(name: str = "data", hub: str | None = None, **environ: str) -> Deployment:
            built = stack.enter_context(deployed(tmp_path / name, **environ))
            publish(built.models, small_model())
            return built if hub is None else replace(built, hub=hub)

        yield build


def events(hub: str, bodies: Sequence[bytes], first: int = 1_998) -> EventBatch:
    """Make events with a key, a device or neither, each enqueued at a time of its own."""
    n = len(bodies)
    return replace(
        event_batch(bodies, hub=hub, partition="3", first=first),
        enqueued_ns=[ENQUEUED_NS + 1_000 * event for event in range(n)],
        partition_keys=[("pump-7", None, None)[event % 3] for event in range(n)],
        device_ids=[("device-1", "device-2", None)[event % 3] for event in range(n)],
    )


def replayed(deployment: Deployment, **options: Any) -> Replay:
    """Replay the letters of a deployment's own hub."""
    selection = Selection(hubs=frozenset([deployment.hub]), sensor_id_keys=("sensor_id",))
    work = Replay(deployment.app.delivery, options.pop("selection", selection), **options)
    work.run()
    return work


def with_sinks(deployment: Deployment, *sinks: Sink) -> Deployment:
    """Store into these sinks instead."""
    first = deployment.app.delivery.outlets[0]
    outlets = [Outlet(sink, Breaker(lambda: 0.0), first.spill) for sink in sinks]
    delivery = replace(deployment.app.delivery, outlets=outlets)
    return replace(deployment, app=replace(deployment.app, delivery=delivery))


def with_model(delivery: Delivery, score: Callable[[FloatArray], FloatArray]) -> None:
    """Let the model in use score in this way."""
    snapshot = delivery.cache.snapshot()
    models = {name: replace(model, score=score) for name, model in snapshot.models.items()}
    delivery.cache._snapshot = Snapshot(models, snapshot.states, snapshot.checked_at)


def a_bug(X: FloatArray) -> FloatArray:
    """Fail as no model should."""
    raise TypeError("a bug")


class ScriptedSink:
    """Keeps what is written; raises each of `errors` first, and refuses readings by place."""

    name = "scripted"

    def __init__(
        self, errors: Sequence[Exception] = (), refuses: Sequence[tuple[int, int]] = ()
    ) -> None:
        self.errors = list(errors)
        self.refuses = set(refuses)
        self.written: set[tuple[int, int]] = set()

    def write(self, batches: Sequence[ScoredBatch]) -> Sequence[Refused]:
        """Keep the places of the readings."""
        if self.errors:
            raise self.errors.pop(0)
        refused = []
        for one in batches:
            places = zip(one.sequence_numbers.tolist(), one.indexes.tolist(), strict=True)
            for row, place in enumerate(places):
                if place in self.refuses:
                    refused.append(Refused(one, row, "too old"))
                else:
                    self.written.add(place)
        return refused


@pytest.mark.parametrize("tie_break", ["none", "sequence"])
def test_after_a_fix_the_scores_are_those_of_an_app_without_the_mistake(
    deploy: Deploy, stored_in: dict[str, str], tie_break: str
) -> None:
    """Ids, times, places and scores, whichever way a reading's identity comes about."""
    shared = {**stored_in, "TIME_TIE_BREAK": tie_break}
    never_wrong = deploy("never wrong", TIME_TIE_BREAK=tie_break)
    never_wrong.app.delivery.deliver(events("hub", GOOD))
    wrong = deploy(MODEL_ROUTES=NO_ROUTE, **shared)
    wrong.app.delivery.deliver(events(wrong.hub, GOOD))
    assert len(wrong.letters()) == 9
    work = replayed(right := deploy(hub=wrong.hub, **shared))
    assert right.rows() == never_wrong.rows()
    assert (len(right.rows()), right.letters()) == (9, [])
    assert (work.counts.replayed, work.counts.scored, work.counts.left) == (9, 9, 0)


def test_events_kept_whole_because_of_a_bug_are_scored_as_they_would_have_been(
    deploy: Deploy, stored_in: dict[str, str]
) -> None:
    """A letter with reason `internal` holds an event, and maybe several readings."""
    never_wrong = deploy("never wrong")
    never_wrong.app.delivery.deliver(events("hub", GOOD))
    wrong = deploy(**stored_in)
    with_model(wrong.app.delivery, a_bug)
    wrong.app.delivery.deliver(events(wrong.hub, GOOD))
    assert {letter.reason for letter in wrong.letters()} == {"internal"}
    work = replayed(right := deploy(hub=wrong.hub, **stored_in))
    assert right.rows() == never_wrong.rows()
    assert (work.counts.replayed, work.counts.scored, right.letters()) == (6, 9, [])


def test_a_feature_set_by_mistake_is_mended_in_the_settings(deploy: Deploy) -> None:
    """Readings turned away for a feature that they never had are scored without it."""
    wrong = deploy(FEATURE_KEYS="temperature,vibration,humidity")
    wrong.app.delivery.deliver(events(wrong.hub, GOOD[:1]))
    assert [letter.field for letter in wrong.letters()] == ["humidity"]
    right = deploy(hub=wrong.hub)
    assert replayed(right).counts.scored == 1
    assert (right.letters(), len(right.rows())) == ([], 1)


def test_replaying_twice_changes_nothing(deploy: Deploy, stored_in: dict[str, str]) -> None:
    """Neither a row nor a letter, and there is nothing left to replay but what is bad still."""
    wrong = deploy(MODEL_ROUTES=NO_ROUTE, **stored_in)
    wrong.app.delivery.deliver(events(wrong.hub, [*GOOD, b"not JSON"]))
    right = deploy(hub=wrong.hub, **stored_in)
    replayed(right)
    rows, letters = right.rows(), right.letters()
    again = replayed(right)
    assert (again.counts.replayed, again.counts.scored) == (1, 0)
    assert (right.rows(), right.letters()) == (rows, letters)


def test_a_letter_rejected_again_stays_as_it_is(deploy: Deploy, stored_in: dict[str, str]) -> None:
    """Bytes that are no text too; where nothing of a file goes, it is not even written."""
    deployment = deploy(**stored_in)
    bodies = [b"\xff\x00\xfe", b"not JSON", b'{"sensor_id": null}', b""]
    deployment.app.delivery.deliver(events(deployment.hub, bodies))
    before = deployment.letters()
    counts = replayed(deployment).counts
    assert deployment.letters() == before
    assert [letter.raw_bytes() for letter in before] == bodies
    reasons = {"not_utf8": 1, "invalid_json": 1, "bad_sensor_id": 1, "empty_body": 1}
    assert (dict(counts.rejected), counts.scored, counts.left) == (reasons, 0, 4)


def test_of_a_file_only_what_is_rejected_again_is_left(
    deploy: Deploy, stored_in: dict[str, str]
) -> None:
    """The others go; the one that stays says the same as before."""
    wrong = deploy(MODEL_ROUTES=NO_ROUTE, **stored_in)
    wrong.app.delivery.deliver(events(wrong.hub, [body(1), b"\xff", body(2)]))
    (bad,) = (letter for letter in wrong.letters() if letter.reason == "not_utf8")
    right = deploy(hub=wrong.hub, **stored_in)
    replayed(right)
    assert (right.letters(), len(right.rows())) == ([bad], 2)


def test_a_letter_rejected_for_another_reason_says_so(deploy: Deploy) -> None:
    """One fix may show the next fault: the letter tells the one that counts now."""
    wrong = deploy(MODEL_ROUTES=NO_ROUTE)
    event = b"[%b, %b]" % (body(1), body(2, vibration="high"))
    wrong.app.delivery.deliver(events(wrong.hub, [event]))
    (_, before) = wrong.letters()
    right = deploy(hub=wrong.hub)
    replayed(right)
    (after,) = right.letters()
    assert (before.reason, after.reason, after.field) == (
        "no_route",
        "feature_not_a_number",
        "vibration",
    )
    assert after.identity[:5] == before.identity[:5]
    assert after.raw_bytes() == before.raw_bytes() == body(2, vibration="high")


def test_of_a_whole_event_the_reading_that_is_bad_becomes_a_letter_of_its_own(
    deploy: Deploy,
) -> None:
    """With its own bytes and index; replayed again it changes nothing."""
    deployment = deploy()
    good = deployment.app.delivery.cache.snapshot()
    with_model(deployment.app.delivery, a_bug)
    event = b"[%b, 1, %b]" % (WITHOUT_TIME, WITHOUT_TIME)
    deployment.app.delivery.deliver(events(deployment.hub, [event]))
    deployment.app.delivery.cache._snapshot = good
    counts = replayed(deployment).counts
    (letter,) = deployment.letters()
    assert (letter.reason, letter.index, letter.raw_bytes()) == ("not_an_object", 1, b"1")
    assert counts.scored == len(deployment.rows()) == 2
    assert [row["reading_index"] for row in deployment.rows()] == [0, 2]


@pytest.mark.parametrize("method", ["delete", "put"])
def test_a_kill_between_storing_and_letting_go_loses_and_doubles_nothing(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """What was stored is stored again under the same identity."""
    wrong = deploy(MODEL_ROUTES=NO_ROUTE)
    wrong.app.delivery.deliver(events(wrong.hub, [*GOOD, b"not JSON"]))
    right = deploy(hub=wrong.hub)
    with monkeypatch.context() as patch:

        def killed(*_: object, **__: object) -> None:
            raise StorageUnavailableError("dead-letter", "", "killed")

        patch.setattr(f"scoring.storage.folder.FolderContainer.{method}", killed)
        with pytest.raises(StorageUnavailableError):
            replayed(right)
    rows = right.rows()
    assert len(rows) == 9
    assert len(right.letters()) == 10
    replayed(right)
    assert right.rows() == rows
    assert [letter.reason for letter in right.letters()] == ["invalid_json"]


@pytest.mark.parametrize(
    "error",
    [
        SinkUnavailableError("scripted", "down", "start it"),
        ModelUnavailableError("default", "missing"),
        StorageUnavailableError("models", "", "down"),
    ],
    ids=["sink", "model", "storage"],
)
def test_where_something_cannot_be_had_nothing_goes(deploy: Deploy, error: Exception) -> None:
    """It is told, and every letter stays."""
    wrong = deploy(MODEL_ROUTES=NO_ROUTE)
    wrong.app.delivery.deliver(events(wrong.hub, GOOD))
    before = wrong.letters()
    right = deploy(hub=wrong.hub)
    with pytest.raises(type(error)):
        replayed(with_sinks(right, ScriptedSink(), ScriptedSink([error])))
    assert right.letters() == before


def test_a_letter_goes_only_when_every_store_has_it(deploy: Deploy) -> None:
    """Both sinks get every reading."""
    wrong = deploy(MODEL_ROUTES=NO_ROUTE)
    wrong.app.delivery.deliver(events(wrong.hub, GOOD))
    one, other = ScriptedSink(), ScriptedSink()
    right = with_sinks(deploy(hub=wrong.hub), one, other)
    replayed(right)
    assert right.letters() == []
    assert len(one.written) == len(other.written) == 9


def test_a_store_that_asks_for_patience_is_waited_for(deploy: Deploy) -> None:
    """Longer each time; it is no outage."""
    wrong = deploy(MODEL_ROUTES=NO_ROUTE)
    wrong.app.delivery.deliver(events(wrong.hub, GOOD[:1]))
    busy = SinkThrottledError("scripted", "429", "wait")
    waited: list[float] = []
    right = with_sinks(deploy(hub=wrong.hub), sink := ScriptedSink([busy, busy, busy]))
    replayed(right, sleep=waited.append)
    assert (waited, len(sink.written), right.letters()) == ([1.0, 2.0, 4.0], 1, [])


def test_a_store_that_asks_for_too_much_patience_ends_the_replay(deploy: Deploy) -> None:
    """After two minutes the operator knows."""
    wrong = deploy(MODEL_ROUTES=NO_ROUTE)
    wrong.app.delivery.deliver(events(wrong.hub, GOOD[:1]))
    busy = SinkThrottledError("scripted", "429", "wait")
    waited: list[float] = []
    right = with_sinks(deploy(hub=wrong.hub), ScriptedSink([busy] * 50))
    with pytest.raises(SinkThrottledError):
        replayed(right, sleep=waited.append)
    assert (sum(waited), len(right.letters())) == (120.0, 1)


def test_what_a_store_refuses_stays_and_its_neighbours_go(deploy: Deploy) -> None:
    """Told by event and index, also where each reading is replayed apart from its event."""
    wrong = deploy(MODEL_ROUTES=NO_ROUTE)
    wrong.app.delivery.deliver(events(wrong.hub, GOOD, first=10))
    refuses = [(13, 2), (14, 0)]
    sinks = ScriptedSink(refuses=refuses), ScriptedSink(refuses=refuses[:1])
    right = with_sinks(deploy(hub=wrong.hub), *sinks)
    counts = replayed(right).counts
    assert [(one.sequence_number, one.index, one.reason) for one in right.letters()] == [
        (13, 2, "refused_by_store"),
        (14, 0, "refused_by_store"),
    ]
    assert {one.raw_bytes() for one in right.letters()} == {WITHOUT_TIME}
    assert (counts.scored, counts.left, dict(counts.rejected)) == (7, 2, {"refused_by_store": 2})


def test_of_a_whole_event_a_store_may_refuse_one_reading(deploy: Deploy) -> None:
    """The letter that is left holds that reading alone."""
    wrong = deploy()
    with_model(wrong.app.delivery, a_bug)
    wrong.app.delivery.deliver(events(wrong.hub, GOOD, first=10))
    right = with_sinks(deploy(hub=wrong.hub), ScriptedSink(refuses=[(13, 1)]))
    replayed(right)
    (letter,) = right.letters()
    assert (letter.reason, letter.index, letter.raw_bytes()) == ("refused_by_store", 1, body(2))


def test_a_whole_event_beside_a_letter_of_one_of_its_readings_is_told_apart(
    deploy: Deploy,
) -> None:
    """Delivered again it met a bug; of each only what the store refuses is left."""
    event = b"[%b, %b, %b]" % (body(1), body(2, vibration="high"), body(3))
    wrong = deploy()
    wrong.app.delivery.deliver(events(wrong.hub, [event], first=10))
    with_model(wrong.app.delivery, a_bug)
    wrong.app.delivery.deliver(events(wrong.hub, [event], first=10))
    assert len(wrong.letters()) == 2
    right = with_sinks(deploy(hub=wrong.hub), ScriptedSink(refuses=[(10, 2)]))
    replayed(right)
    left = {(letter.reason, letter.index): letter.raw_bytes() for letter in right.letters()}
    assert left == {
        ("feature_not_a_number", 1): body(2, vibration="high"),
        ("refused_by_store", 2): body(3),
    }


def test_a_fault_of_this_program_keeps_its_letter_and_not_its_neighbours(deploy: Deploy) -> None:
    """The letter stays as it is, and the replay goes on."""
    wrong = deploy(MODEL_ROUTES=NO_ROUTE)
    poison = body(4, temperature=123_456.0)
    wrong.app.delivery.deliver(events(wrong.hub, [*GOOD, poison, body(5)]))
    right = deploy(hub=wrong.hub)
    score = right.app.delivery.cache.snapshot().models["default"].score

    def fragile(X: FloatArray) -> FloatArray:
        return a_bug(X) if (X == 123_456.0).any() else score(X)

    with_model(right.app.delivery, fragile)
    counts = replayed(right).counts
    (letter,) = right.letters()
    assert (letter.reason, letter.raw_bytes()) == ("no_route", poison)
    assert dict(counts.faults) == {"TypeError: a bug": 1}
    assert (counts.replayed, counts.scored, counts.left, len(right.rows())) == (11, 10, 1, 10)


def test_two_replays_at_once_lose_nothing(deploy: Deploy, stored_in: dict[str, str]) -> None:
    """Each letter is stored by one of them at least, and is gone after both."""
    wrong = deploy(MODEL_ROUTES=NO_ROUTE, **stored_in)
    for first in range(0, 60, 2):
        bodies = [body(first), body(first + 1), b"not JSON"]
        wrong.app.delivery.deliver(events(wrong.hub, bodies, first=10 * first))
    rights = [deploy(hub=wrong.hub, **stored_in) for _ in range(2)]
    begin = threading.Barrier(2)
    faults: list[Exception] = []

    def work(deployment: Deployment) -> None:
        begin.wait()
        try:
            replayed(deployment)
        except Exception as error:  # noqa: BLE001  # a thread has nobody else to tell
            faults.append(error)

    threads = [threading.Thread(target=work, args=[right]) for right in rights]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(rights[0].rows()) == 60
    assert [letter.reason for letter in rights[0].letters()] == ["invalid_json"] * 30


def test_a_dry_run_changes_nothing(deploy: Deploy) -> None:
    """It tells what would become of the letters."""
    wrong = deploy(MODEL_ROUTES=NO_ROUTE)
    wrong.app.delivery.deliver(events(wrong.hub, [*GOOD, b"not JSON"]))
    right = deploy(hub=wrong.hub)
    before = right.letters()
    counts = replayed(right, dry_run=True).counts
    assert (counts.replayed, counts.scored, counts.left) == (10, 9, 1)
    assert right.letters() == before
    assert not (right.data_dir / "scores.sqlite").exists() or right.rows() == []


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        ({"reasons": frozenset(["no_route"])}, ["invalid_json"]),
        ({"sensors": frozenset(["pump-7"])}, ["no_route", "no_route", "invalid_json"]),
        ({"sensors": frozenset(["pump-1"])}, ["no_route", "invalid_json"]),
        ({"hubs": frozenset(["another"])}, ["no_route"] * 3 + ["invalid_json"]),
    ],
    ids=["reason", "sensor by key", "sensor by name", "hub"],
)
def test_only_what_is_chosen_is_replayed(
    deploy: Deploy, chosen: dict[str, Any], left: list[str]
) -> None:
    """The rest of a file stays."""
    wrong = deploy(MODEL_ROUTES=NO_ROUTE)
    wrong.app.delivery.deliver(events(wrong.hub, [WITHOUT_ID, body(1), body(2), b"not JSON"]))
    right = deploy(hub=wrong.hub)
    replayed(right, selection=Selection(sensor_id_keys=("sensor_id",), **chosen))
    assert [letter.reason for letter in right.letters()] == left


def test_a_limit_bounds_the_letters(deploy: Deploy) -> None:
    """The first ones in the order of arrival; asked again, the next ones."""
    wrong = deploy(MODEL_ROUTES=NO_ROUTE)
    for first in (0, 10):
        bodies = [body(first + i) for i in range(5)]
        wrong.app.delivery.deliver(events(wrong.hub, bodies, first=first))
    right = deploy(hub=wrong.hub)
    found = []
    for _ in range(3):
        assert replayed(right, limit=4).counts.replayed <= 4
        found.append([letter.sequence_number for letter in right.letters()])
    assert found == [[4, 10, 11, 12, 13, 14], [13, 14], []]


@pytest.mark.parametrize("at_once", [1, 500])
def test_a_letter_in_two_files_is_replayed_once_and_leaves_both(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """A batch delivered again in other bounds kept it twice."""
    monkeypatch.setattr(letter_batches, "_LETTERS_AT_ONCE", at_once)
    wrong = deploy(MODEL_ROUTES=NO_ROUTE)
    batch = events(wrong.hub, [body(1), body(2), body(3)], first=10)
    wrong.app.delivery.deliver(batch)
    wrong.app.delivery.deliver(
        replace(
            batch,
            bodies=batch.bodies[1:],
            sequence_numbers=[11, 12],
            enqueued_ns=batch.enqueued_ns[1:],
        )
    )
    right = deploy(hub=wrong.hub)
    assert len(list(right.app.delivery.dead_letters.files())) == 2
    counts = replayed(right).counts
    assert (counts.replayed, counts.scored, counts.left) == (3, 3, 0)
    assert list(right.app.delivery.dead_letters.files()) == []


def test_many_small_files_are_written_together_and_forgotten(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store is asked once for many letters; memory holds those of a few files only."""
    monkeypatch.setattr(dead_letters, "MOST_REMEMBERED", 20)
    monkeypatch.setattr(letter_batches, "_LETTERS_AT_ONCE", 25)
    wrong = deploy(MODEL_ROUTES=NO_ROUTE)
    for number in range(200):
        wrong.app.delivery.deliver(events(wrong.hub, [body(number)], first=number))
    sink = ScriptedSink()
    writes: list[int] = []
    right = with_sinks(deploy(hub=wrong.hub), sink)
    write = sink.write

    def counted(batches: Sequence[ScoredBatch]) -> Sequence[Refused]:
        writes.append(sum(map(len, batches)))
        return write(batches)

    monkeypatch.setattr(sink, "write", counted)
    work = replayed(right)
    assert writes == [25] * 8
    assert len(work._left) <= 50
    assert (work.counts.scored, right.letters()) == (200, [])


def test_a_stop_ends_the_replay_between_files(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was begun is settled; the rest is untouched."""
    monkeypatch.setattr(letter_batches, "_LETTERS_AT_ONCE", 1)
    wrong = deploy(MODEL_ROUTES=NO_ROUTE)
    for number in range(3):
        wrong.app.delivery.deliver(events(wrong.hub, [body(number)], first=number))
    right = deploy(hub=wrong.hub)
    done: list[int] = []
    work = Replay(right.app.delivery, Selection())
    work.run(done.append, should_stop=lambda: len(done) == 2)
    assert (done, len(right.rows()), len(right.letters())) == ([1, 2], 2, 1)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b'{"hub": "h"}\n', b"\xff\n"],
    ids=["empty", "broken", "incomplete", "no text"],
)
def test_a_damaged_file_is_named_and_left_alone(deploy: Deploy, data: bytes) -> None:
    """The others are replayed."""
    wrong = deploy(MODEL_ROUTES=NO_ROUTE)
    wrong.app.delivery.deliver(events(wrong.hub, [body(1)]))
    container = FolderStorage(wrong.data_dir).container("dead-letter")
    container.put("a/0/damaged.ndjson", data)
    right = deploy(hub=wrong.hub)
    counts = replayed(right).counts
    assert (counts.scored, counts.is_clean()) == (1, False)
    assert [text.split(":")[0] for text in counts.unreadable] == ["a/0/damaged.ndjson"]
    assert [entry.path for entry in container.list()] == ["a/0/damaged.ndjson"]


def test_a_file_that_is_altered_meanwhile_stays(deploy: Deploy) -> None:
    """Somebody mends a reading by hand: it is replayed the next time."""
    wrong = deploy(MODEL_ROUTES=NO_ROUTE)
    wrong.app.delivery.deliver(events(wrong.hub, [body(1)]))
    container = FolderStorage(wrong.data_dir).container("dead-letter")
    (entry,) = container.list()

    class Meddler(ScriptedSink):
        def write(self, batches: Sequence[ScoredBatch]) -> Sequence[Refused]:
            file = next(DeadLetters(container).files())
            container.put(entry.path, (file.letters[0].message + "\n").encode())
            return super().write(batches)

    counts = replayed(with_sinks(deploy(hub=wrong.hub), Meddler())).counts
    assert (counts.altered, counts.is_clean()) == ([entry.path], False)
    assert [one.path for one in container.list()] == [entry.path]


def test_events_of_a_hub_made_anew_are_told_apart(deploy: Deploy) -> None:
    """They have one place and two enqueued times: what a store refuses of both stays twice."""
    wrong = deploy(MODEL_ROUTES=NO_ROUTE)
    batch = events(wrong.hub, [WITHOUT_TIME], first=5)
    anew = replace(batch, enqueued_ns=[ENQUEUED_NS + 10**12])
    wrong.app.delivery.deliver(batch)
    wrong.app.delivery.deliver(anew)
    right = deploy(hub=wrong.hub)
    replayed(with_sinks(right, ScriptedSink(refuses=[(5, 0)])))
    assert len(right.letters()) == 2
    replayed(right)
    assert (len(right.rows()), right.letters()) == (2, [])
