"""Tests of scoring.collisions: a clock that is too coarse shows, a redelivery does not."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from scoring.collisions import CollisionCounter
from tests.scored_batches import scored_batch


def batch(times: list[int], values: list[float], *, first: int = 0, **changes: Any) -> Any:
    """Make scored readings of one sensor at these times with these values."""
    rows = np.array(values, np.float64)[:, None]
    return scored_batch(
        len(times), first=first, event_time_ns=np.array(times, np.int64), X=rows, **changes
    )


def test_readings_at_different_times_do_not_collide() -> None:
    """The usual case, within a batch and between batches."""
    counter = CollisionCounter()
    assert counter.count(batch([1, 2, 3], [1, 1, 1])) == 0
    assert counter.count(batch([4, 5], [1, 1], first=3)) == 0


def test_different_readings_of_one_instant_collide() -> None:
    """Each one that takes an identity from another is counted."""
    assert CollisionCounter().count(batch([5, 5, 5, 6], [1, 2, 3, 4])) == 2


def test_a_collision_between_two_batches_is_counted() -> None:
    """The last reading of a sensor is remembered."""
    counter = CollisionCounter()
    counter.count(batch([4, 5], [1, 2]))
    assert counter.count(batch([5, 6], [3, 4], first=2)) == 1


def test_a_batch_delivered_again_does_not_collide_with_itself() -> None:
    """The same partition, sequence number and index is the same reading."""
    counter = CollisionCounter()
    for _ in range(3):
        assert counter.count(batch([5], [1])) == 0
        assert counter.count(batch([6], [2], first=1)) == 0


def test_a_reading_sent_twice_does_not_collide() -> None:
    """The same values under one identity lose nothing."""
    assert CollisionCounter().count(batch([5, 5], [1, 1])) == 0


def test_readings_out_of_order_collide_too() -> None:
    """Readings of one instant need not be neighbours in the batch."""
    assert CollisionCounter().count(batch([5, 9, 5], [1, 2, 3])) == 1


@pytest.mark.parametrize(
    "changes", [{"sensor_ids": ["a", "b"]}, {"model": "x", "sensor_ids": ["a", "b"]}]
)
def test_other_sensors_do_not_collide(changes: dict[str, Any]) -> None:
    """An identity is model, sensor and time."""
    assert CollisionCounter().count(batch([5, 5], [1, 2], **changes)) == 0


def test_other_models_do_not_collide() -> None:
    """One reading may be scored by two models."""
    counter = CollisionCounter()
    assert counter.count(batch([5], [1], model="one")) == 0
    assert counter.count(batch([5], [2], first=1, model="two")) == 0


def test_a_new_version_with_other_features_begins_anew() -> None:
    """Rows of different widths cannot be compared; what was known is forgotten."""
    counter = CollisionCounter()
    counter.count(batch([5], [1]))
    wider = scored_batch(1, first=1, event_time_ns=np.array([5]), X=np.ones((1, 4)))
    assert counter.count(wider) == 0
    assert counter.count(replace(wider, X=np.zeros((1, 4)), sequence_numbers=np.array([9]))) == 1


def test_memory_does_not_grow_with_the_number_of_sensors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the bound everything is forgotten; the latest sensors are known again."""
    monkeypatch.setattr("scoring.collisions._MOST_SENSORS", 10)
    counter = CollisionCounter()
    for number in range(50):
        counter.count(batch([5], [number], sensor_ids=[f"s{number}"]))
        (last,) = counter._models.values()
        assert len(last.codes) <= 12
    assert counter.count(batch([5], [7], first=9, sensor_ids=["s49"])) == 1


def test_a_collision_delivered_again_is_counted_once() -> None:
    """A batch that comes again adds nothing to the count."""
    counter = CollisionCounter()
    colliding = batch([5, 5], [1, 2])
    assert [counter.count(colliding) for _ in range(3)] == [1, 0, 0]
