"""Tests of local.run_summary: what a run is told to be worth."""

import numpy as np
import pytest

from local.run_summary import Stored, edge_shares, quality, truth_key


def stored(flags: list[bool], sensor: str = "a") -> Stored:
    """One sensor with these decisions, a second apart."""
    times = np.arange(len(flags), dtype=np.int64) * 10**9
    return Stored([sensor] * len(flags), times, np.array(flags), [])


def test_quality_is_what_its_definition_says() -> None:
    """F1 = 2TP / (2TP + FP + FN) and FAR = FP / (FP + TN), counted by hand."""
    found = quality(
        stored([True, True, False, False, False]), {truth_key("a", 0), truth_key("a", 2 * 10**9)}
    )
    assert (found.f1, found.false_alarm_rate) == (0.5, pytest.approx(1 / 3))
    assert (found.precision, found.recall) == (0.5, 0.5)


def test_the_edges_are_those_of_each_sensor() -> None:
    """First and last 20 readings of a sensor that has at least twice as many."""
    assert edge_shares(stored([])) is None
    assert edge_shares(stored([False] * 39)) is None
    assert edge_shares(stored([True] * 5 + [False] * 20 + [True] * 20)) == (0.25, 1.0)
