"""Counts different readings that share an identity, of which a store keeps only the last."""

import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from scoring.features import FloatArray
from scoring.scored import ScoredBatch

# Of this many sensors the last reading is remembered; 100 bytes each.
_MOST_SENSORS = 100_000


@dataclass(frozen=True, slots=True)
class _Last:
    """The latest reading of one sensor."""

    event_time_ns: int
    place: tuple[str, int, int]
    row: FloatArray


class CollisionCounter:
    """Remembers each sensor's last reading; safe to use from any thread.

    A reading delivered again has the same place (partition, sequence number, index), and one
    sent twice has the same values: neither is a collision. What is compared is each reading with
    the one of its sensor before it in time, so a clock that is too coarse shows; a reading that
    comes late, to a time that others have passed, is not seen to collide.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: OrderedDict[tuple[str, str], _Last] = OrderedDict()

    def count(self, batch: ScoredBatch) -> int:
        """Count the collisions in a batch, and between it and the last one."""
        times = batch.event_time_ns
        order = np.lexsort((np.arange(len(times)), times))
        by_sensor: dict[str, list[int]] = {}
        for row in order.tolist():
            by_sensor.setdefault(batch.sensor_ids[row], []).append(row)
        collided = 0
        with self._lock:
            for sensor, rows in by_sensor.items():
                collided += self._of_sensor(batch, sensor, rows)
            while len(self._last) > _MOST_SENSORS:
                self._last.popitem(last=False)
        return collided

    def _of_sensor(self, batch: ScoredBatch, sensor: str, rows: list[int]) -> int:
        key = (batch.model, sensor)
        before = self._last.get(key)
        times = batch.event_time_ns[rows]
        # the usual case without a loop: every reading later than the one before it
        rising = len(rows) == 1 or bool((times[1:] > times[:-1]).all())
        collided = 0
        if not rising or (before is not None and before.event_time_ns == times[0]):
            newest = before
            for row in rows:
                now = _last(batch, row)
                if before is not None and not _is_delivered_again(newest, now):
                    collided += _collides(before, now)
                before = now
        self._last[key] = _last(batch, rows[-1])
        self._last.move_to_end(key)
        return collided


def _last(batch: ScoredBatch, row: int) -> _Last:
    place = (batch.partition, int(batch.sequence_numbers[row]), int(batch.indexes[row]))
    return _Last(int(batch.event_time_ns[row]), place, batch.X[row].copy())


def _is_delivered_again(newest: _Last | None, now: _Last) -> bool:
    """Tell whether a reading was counted before: its partition has got further already."""
    return newest is not None and newest.place[0] == now.place[0] and now.place <= newest.place


def _collides(before: _Last, now: _Last) -> bool:
    return (
        before.event_time_ns == now.event_time_ns
        and before.place != now.place
        and not np.array_equal(before.row, now.row)
    )
