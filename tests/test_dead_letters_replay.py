"""Tests of replay.dead_letters: after a fix every reading is scored as if it had been at once."""

from dataclasses import replace

import pytest

from tests.broken_models import a_bug, with_model
from tests.event_batches import ENQUEUED_NS, body
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
