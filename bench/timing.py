"""Times calls by the median of many."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

_K = TypeVar("_K")
# The median of three is the least that one hiccup of the machine cannot move.
_LEAST_CALLS = 3
# A call finds the caches as the one before it left them: of ten in a row, nine are at home. Long
# calls bring their own data along anyway.
_CALLS_A_TURN = 10
_SECONDS_A_TURN = 0.1


def interleaved_medians(
    calls: Mapping[_K, Callable[[], object]], seconds: float
) -> dict[_K, float]:
    """Make calls in turn, so that a slow moment of the machine meets all of them alike.

    Parameters
    ----------
    calls : mapping
        Each is made once before it counts, and then a few times when it is its turn.
    seconds : float
        For all of them together; at least three of each are made.

    Returns
    -------
    dict
        The median duration of each call in seconds.
    """
    for call in calls.values():
        call()
    durations: dict[_K, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or min(map(len, durations.values())) < _LEAST_CALLS:
        for name, call in calls.items():
            durations[name] += _turn(call)
    return {name: statistics.median(found) for name, found in durations.items()}


def _turn(call: Callable[[], object]) -> list[float]:
    durations: list[float] = []
    while len(durations) < _CALLS_A_TURN and sum(durations) < _SECONDS_A_TURN:
        started = time.perf_counter()
        call()
        durations.append(time.perf_counter() - started)
    return durations


def median_seconds(call: Callable[[], object], seconds: float) -> float:
    """Make one call again and again for a while; returns the median duration."""
    return interleaved_medians({"": call}, seconds)[""]
