"""Counts different readings that share an identity, of which a store keeps only the last."""

import threading
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from scoring.features import FloatArray
from scoring.scored import ScoredBatch

IntArray = npt.NDArray[np.int64]
# Of this many sensors a model the last reading is remembered, at 100 bytes each; then anew.
_MOST_SENSORS = 100_000
_NEVER = np.iinfo(np.int64).min


@dataclass(slots=True)
class _LastReadings:
    """The latest reading of each sensor of one model, as columns by the sensor's code."""

    codes: dict[str, int] = field(default_factory=dict)
    times: IntArray = field(default_factory=lambda: np.empty(0, np.int64))
    places: IntArray = field(default_factory=lambda: np.empty((0, 3), np.int64))
    X: FloatArray = field(default_factory=lambda: np.empty((0, 0)))

    def codes_of(self, sensor_ids: list[str], n_features: int) -> IntArray:
        """Return each reading's code, with room for all of them."""
        if len(self.codes) > _MOST_SENSORS or self.X.shape[1] != n_features:
            self.codes, self.times = {}, np.empty(0, np.int64)
        codes = self.codes
        found = [codes.setdefault(sensor, len(codes)) for sensor in sensor_ids]
        if len(codes) > len(self.times):
            self._grow(2 * len(codes), n_features)
        return np.array(found, np.int64)

    def _grow(self, size: int, n_features: int) -> None:
        times, places = np.full(size, _NEVER), np.full((size, 3), -1, np.int64)
        X = np.empty((size, n_features))
        n = len(self.times)
        if n:
            times[:n], places[:n], X[:n] = self.times, self.places, self.X
        self.times, self.places, self.X = times, places, X


class CollisionCounter:
    """Remembers each sensor's last reading; safe to use from any thread.

    A reading delivered again has the same place (partition, sequence number, index), and one
    sent twice has the same values: neither is a collision. What is compared is each reading with
    the one of its sensor before it in time, so a clock that is too coarse shows; a reading that
    comes late, to a time that others have passed, is not seen to collide.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._partitions: dict[str, int] = {}
        self._models: dict[str, _LastReadings] = {}

    def count(self, batch: ScoredBatch) -> int:
        """Count the collisions in a batch, and between it and the last one."""
        with self._lock:
            last = self._models.setdefault(batch.model, _LastReadings())
            codes = last.codes_of(batch.sensor_ids, batch.X.shape[1])
            # by sensor, then by time, then as they arrived
            order = np.lexsort((batch.event_time_ns, codes))
            codes, times, X = codes[order], batch.event_time_ns[order], batch.X[order]
            places = self._places(batch)[order]
            is_first = np.r_[True, codes[1:] != codes[:-1]][: len(codes)]
            time_before = np.where(is_first, last.times[codes], np.roll(times, 1))
            same_time = time_before == times
            twins = np.flatnonzero(same_time & ~_delivered_again(places, last.places[codes]))
            collided = sum(
                not np.array_equal(X[row], last.X[codes[row]] if is_first[row] else X[row - 1])
                for row in twins.tolist()
            )
            _remember(last, codes, times, places, X)
        return collided

    def _places(self, batch: ScoredBatch) -> IntArray:
        """Return partition, sequence number and index of each reading."""
        partition = self._partitions.setdefault(batch.partition, len(self._partitions))
        n = len(batch)
        return np.stack([np.full(n, partition), batch.sequence_numbers, batch.indexes], axis=1)


def _delivered_again(places: IntArray, known: IntArray) -> npt.NDArray[np.bool_]:
    """Tell which readings were counted before: their partition has got further already."""
    same_partition = places[:, 0] == known[:, 0]
    earlier = places[:, 1] < known[:, 1]
    same_event = (places[:, 1] == known[:, 1]) & (places[:, 2] <= known[:, 2])
    return np.asarray(same_partition & (earlier | same_event), np.bool_)


def _remember(
    last: _LastReadings, codes: IntArray, times: IntArray, places: IntArray, X: FloatArray
) -> None:
    """Keep the latest reading of each sensor in the batch, unless a later one is known."""
    is_last = np.r_[codes[1:] != codes[:-1], True][: len(codes)]
    newer = np.flatnonzero(is_last & (times >= last.times[codes]))
    rows = codes[newer]
    last.times[rows], last.places[rows], last.X[rows] = times[newer], places[newer], X[newer]
