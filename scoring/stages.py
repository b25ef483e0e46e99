"""Times the stages of one batch."""

import time
from collections.abc import Callable, Mapping

from scoring.telemetry import Stage


class StageClock:
    """Notes how long each stage of one batch takes; of one thread.

    Parameters
    ----------
    clock : callable
        Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._began = self._last = clock()
        self._seconds: dict[Stage, float] = {}

    def ended(self, stage: Stage) -> None:
        """Note a stage that ends now, and began when the one before it ended."""
        now = self._clock()
        self._seconds[stage] = now - self._last
        self._last = now

    def seconds(self) -> Mapping[Stage, float]:
        """Return each stage that ended, and the whole until now."""
        return {**self._seconds, "whole": self._clock() - self._began}
