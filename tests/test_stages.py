"""Tests of scoring.stages: durations that are those of the clock."""

from scoring.stages import StageClock


def test_stages_follow_each_other_and_the_whole_is_all() -> None:
    """A stage begins where the one before it ended."""
    ticks = iter([10.0, 10.5, 12.5, 13.0])
    clock = StageClock(lambda: next(ticks))
    clock.ended("decode")
    clock.ended("score")
    assert clock.seconds() == {"decode": 0.5, "score": 2.0, "whole": 3.0}
