"""Batches that come twice, in other bounds or in another order, in the whole delivery.

Rows of docs/faults.md.
"""

from tests.event_batches import body, event_batch
from tests.faulty_plants import (
    BAD,
    Plant,
    assert_nothing_lost,
    batch,
    good,
    mend,
)
from tests.faulty_stores import FaultyStore, InfluxStore

pytest_plugins = ["tests.fault_fixtures"]
INSTANT = 5_000


def test_a_batch_that_comes_twice_adds_nothing(plant: Plant) -> None:
    """Neither to a store nor to the dead letters; the ledger counts work, and no collision."""
    for _ in range(2):
        assert plant.deliver(batch()).error is None
        assert_nothing_lost(plant, good())
    assert plant.totals()["scored"] == 2 * len(good())


def test_batches_that_overlap_add_nothing(plant: Plant) -> None:
    """After a crash batches have other bounds: the bad reading stands in two files, and is one."""
    events = batch()
    for first, last in ((0, 61), (0, 20), (2, 40), (30, 61)):
        part = event_batch(events.bodies[first:last], first=first, hub="hub")
        assert plant.deliver(part).error is None
    assert_nothing_lost(plant, good())


def test_a_batch_that_comes_again_after_it_was_spilled_adds_nothing(
    plant: Plant, stores: dict[str, FaultyStore]
) -> None:
    """Before the drain, and after it; spilled twice it takes its own place."""
    for store in stores.values():
        store.fault = "errors"
    for _ in range(2):
        assert plant.deliver(batch()).error is None
    assert plant.n_spilled() == len(stores)
    for store in stores.values():
        mend(store)
    assert plant.recover(batch()) == 0
    assert plant.deliver(batch()).error is None
    assert_nothing_lost(plant, good())


def test_batches_out_of_order_are_stored_once_each(
    plant: Plant, stores: dict[str, FaultyStore]
) -> None:
    """Later events first, older event times later, one of them through the spill."""
    assert plant.deliver(batch(200, bad=None)).error is None
    for store in stores.values():
        store.fault = "errors"
    assert plant.deliver(batch(100, bad=None)).error is None
    for store in stores.values():
        mend(store)
    plant.let_breakers_try()
    for first in (200, 0):  # the first one finds that the stores are back
        assert plant.deliver(batch(first, bad=None if first else BAD)).error is None
    assert plant.drain() == 0
    assert_nothing_lost(plant, sorted(good() + good(100) + good(200)))


def values(store: InfluxStore) -> list[str]:
    """Return the fields of the points of the one instant."""
    return [store.value(one) for one in store.identities()]


def test_of_two_readings_with_one_identity_the_one_written_last_is_kept(
    plant: Plant, stores: dict[str, FaultyStore]
) -> None:
    """Whichever batch comes later, on whichever partition; the other one counts as collided."""
    influx = stores["influxdb"]
    assert isinstance(influx, InfluxStore)
    one, other = body(INSTANT), body(INSTANT, temperature=24.5)
    stored = []
    for first, partition, event in ((7, "1", other), (7, "0", one), (8, "1", other)):
        events = event_batch([event], hub="hub", partition=partition, first=first)
        assert plant.deliver(events).error is None
        stored += values(influx)
    assert [len(store.identities()) for store in stores.values()] == [1, 1]
    assert stored[0] == stored[2] != stored[1]
    assert plant.totals()["collided"] == 2


def test_what_waited_is_written_last_and_so_is_kept(
    plant: Plant, stores: dict[str, FaultyStore]
) -> None:
    """Decision 15: a drained reading takes the place of one that came meanwhile."""
    influx = stores["influxdb"]
    assert isinstance(influx, InfluxStore)
    plant.deliver(event_batch([body(INSTANT)], hub="hub", first=7))
    (expected,) = values(influx)
    influx.fault = "errors"
    plant.deliver(event_batch([body(INSTANT)], hub="hub", first=7))
    mend(influx)
    plant.let_breakers_try()
    plant.deliver(event_batch([body(INSTANT)], hub="hub", first=7))
    later = event_batch([body(INSTANT, temperature=24.5)], hub="hub", first=8)
    plant.deliver(later)
    assert values(influx) != [expected]
    assert plant.drain() == 0
    assert values(influx) == [expected]
    assert plant.totals()["collided"] == 1
    assert plant.deployment.letters() == []
