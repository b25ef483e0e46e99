"""Tests of replay.dead_letters: whatever fails while it replays, no letter is lost."""

from collections.abc import Sequence
from functools import partial

import pytest

from scoring.dead_letters import DeadLetters
from scoring.errors import (
    ModelUnavailableError,
    SinkThrottledError,
    SinkUnavailableError,
    StorageUnavailableError,
)
from scoring.features import FloatArray
from scoring.scored import Refused, ScoredBatch
from scoring.storage import FolderStorage
from tests.at_once import at_once
from tests.broken_models import a_bug, with_model
from tests.event_batches import body
from tests.replayed_letters import (
    GOOD,
    NO_ROUTE,
    WITHOUT_TIME,
    Deploy,
    ScriptedSink,
    events,
    replayed,
    with_sinks,
)

pytest_plugins = ["tests.letter_fixtures"]


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
    at_once([partial(replayed, right) for right in rights])
    assert len(rights[0].rows()) == 60
    assert [letter.reason for letter in rights[0].letters()] == ["invalid_json"] * 30


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
