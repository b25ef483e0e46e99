"""Tests of scoring.invocations: which calls are traced."""

import random

import pytest

from scoring.invocations import MOST_A_MINUTE, Choice, Invocation


class Clock:
    """Monotonic seconds that are moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def parent(low_bits: int) -> str:
    """Write a trace parent whose trace id ends in these 64 bits."""
    return f"00-0af7651916cd43dd{low_bits:016x}-b7ad6b7169203331-01"


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (0.25, 250), (1.0, 1_000)])
def test_a_share_of_the_traces_is_taken(share: float, expected: int) -> None:
    """By their ids, so that every part of a trace is taken or none."""
    clock = Clock()
    choice = Choice(share, clock)
    taken = 0
    for number in range(1_000):
        clock.now += 1.0
        taken += choice.takes(Invocation("score", parent(number * (1 << 64) // 1_000)))
    assert taken == expected


@pytest.mark.parametrize("trace_parent", ["", "nonsense", "00-xyz-1-01"])
def test_without_a_trace_chance_decides(trace_parent: str) -> None:
    """A fifth is about a fifth."""
    random.seed(0)
    clock = Clock()
    choice = Choice(0.2, clock)
    taken = 0
    for _ in range(1_000):
        clock.now += 1.0
        taken += choice.takes(Invocation("score", trace_parent))
    assert 150 < taken < 250


def test_failures_are_taken_in_any_case() -> None:
    """They are what traces are for."""
    failed = Invocation("score", parent((1 << 64) - 1), error="ValueError")
    assert Choice(0.0).takes(failed)


def test_a_flood_is_cut_off_until_the_next_minute() -> None:
    """Even of failures."""
    clock = Clock()
    choice = Choice(1.0, clock)
    flood = [Invocation("score", error="ValueError")] * 1_000
    assert sum(map(choice.takes, flood)) == MOST_A_MINUTE
    clock.now = 61.0
    assert sum(map(choice.takes, flood)) == MOST_A_MINUTE
