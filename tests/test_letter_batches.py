"""Tests of replay.letter_batches: which letters a replay takes at a time."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from replay import dead_letters, letter_batches
from replay.dead_letters import Replay, Selection
from scoring.scored import Refused, ScoredBatch
from tests.event_batches import body
from tests.replayed_letters import (
    GOOD,
    NO_ROUTE,
    WITHOUT_ID,
    Deploy,
    ScriptedSink,
    events,
    replayed,
    with_sinks,
)

pytest_plugins = ["tests.letter_fixtures"]


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
