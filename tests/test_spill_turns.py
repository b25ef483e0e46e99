"""Tests of scoring.spill_turns: what was put off has its turn after all others."""

import pytest

from scoring.spill_turns import SpillTurns


@pytest.fixture
def turns() -> SpillTurns:
    """Put two files of a store off, and one of another."""
    found = SpillTurns()
    for path in ("a/1", "a/3", "b/1"):
        found.put_off(path)
    return found


def test_what_was_put_off_comes_last_and_each_store_has_its_own(turns: SpillTurns) -> None:
    """Else in the order of the listing."""
    assert list(turns.in_turn("a/", ["a/1", "a/2", "a/3", "a/4"])) == ["a/2", "a/4", "a/1", "a/3"]


def test_what_is_put_off_again_waits_behind_the_others(turns: SpillTurns) -> None:
    """So each of them has its turn."""
    turns.put_off("a/1")
    assert list(turns.in_turn("a/", [])) == ["a/3", "a/1"]


def test_what_is_put_off_meanwhile_waits_for_the_next_time(turns: SpillTurns) -> None:
    """Nothing is tried twice in one run."""
    tried = []
    for path in turns.in_turn("a/", ["a/0"]):
        tried.append(path)
        turns.put_off(path)
    assert tried == ["a/0", "a/1", "a/3"]


def test_what_is_gone_is_forgotten(turns: SpillTurns) -> None:
    """Its name may come again, and is as good as any other then."""
    turns.end("a/1")
    assert list(turns.in_turn("a/", ["a/1", "a/2", "a/3"])) == ["a/1", "a/2", "a/3"]
