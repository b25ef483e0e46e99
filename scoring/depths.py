"""Remembers what a timer of this process measured last, for telemetry."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from scoring.dead_letters import DeadLetterDepth
from scoring.spill_depth import SpillDepth
from scoring.telemetry import Value


class Depths:
    """The last measurement of each metric that is one for the whole system.

    What waits in storage is the same whoever looks. So it is measured by the run of a timer, of
    which there is one in the whole system, and leaves through the process of that run: no export
    lists anything, and many instances do not multiply it. Safe to use from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_measured = 0
        self._found: dict[str, tuple[int, Sequence[Value]]] = {}

    def spill_measured(self, depths: Mapping[str, SpillDepth], now: datetime) -> None:
        """Take how much waits for each sink."""
        self._measured("scoring_spill_bytes", {name: one.n_bytes for name, one in depths.items()})
        self._measured("scoring_spill_batches", {name: one.n_files for name, one in depths.items()})
        ages = {name: _age_s(one.oldest, now) for name, one in depths.items()}
        self._measured("scoring_spill_age_seconds", ages)

    def letters_measured(self, depth: DeadLetterDepth) -> None:
        """Take how many files of dead letters there are."""
        self._take("scoring_dead_letters", [Value(depth.n_files)])

    def _measured(self, metric: str, by_sink: Mapping[str, float]) -> None:
        self._take(metric, [Value(number, {"sink": name}) for name, number in by_sink.items()])

    def _take(self, metric: str, values: Sequence[Value]) -> None:
        with self._lock:
            self._n_measured += 1
            self._found[metric] = (self._n_measured, values)

    def n_measured(self) -> int:
        """Tell how many measurements there were."""
        with self._lock:
            return self._n_measured

    def since(self, n_seen: int) -> Iterator[tuple[str, Sequence[Value]]]:
        """Yield the last measurement of each metric, where it was made after `n_seen` others."""
        with self._lock:
            found = list(self._found.items())
        for metric, (number, values) in found:
            if number > n_seen:
                yield metric, values


def _age_s(oldest: datetime | None, now: datetime) -> float:
    return 0.0 if oldest is None else max((now - oldest).total_seconds(), 0.0)
