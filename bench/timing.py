"""Times a call by the median of many."""

import statistics
import time
from collections.abc import Callable

# Long enough to see past a hiccup of the machine, short enough for a table of fifty cells.
_SECONDS = 0.4
_LEAST = 5
_MOST = 2_000


def median_seconds(call: Callable[[], object], seconds: float = _SECONDS) -> float:
    """Call again and again for a while, once before it counts; returns the median duration."""
    call()
    durations: list[float] = []
    end = time.perf_counter() + seconds
    while len(durations) < _LEAST or (time.perf_counter() < end and len(durations) < _MOST):
        started = time.perf_counter()
        call()
        durations.append(time.perf_counter() - started)
    return statistics.median(durations)
