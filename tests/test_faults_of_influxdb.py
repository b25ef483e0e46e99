"""Faults that InfluxDB alone has, in the whole delivery: a batch ends, and nothing is lost.

Rows of docs/faults.md.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from scoring.errors import SinkThrottledError
from scoring.ledger import StoreCounts
from scoring.sinks.influxdb import InfluxSink
from tests.faulty_plants import (
    Plant,
    Run,
    assert_held,
    assert_recovers,
    assert_spilled,
    batch,
    good,
    mend,
)
from tests.faulty_stores import FaultyStore, Fronts
from tests.http_double import Answer, HttpDouble, Request

pytest_plugins = ["tests.fault_fixtures"]


@contextmanager
def in_front_of(store: FaultyStore, respond: Callable[[Request], Answer]) -> Iterator[HttpDouble]:
    """Answer at the address of a store."""
    with HttpDouble(respond, store.port).running() as server:
        yield server


def test_an_address_that_leads_to_no_influxdb_is_named(
    run: Run, up: Fronts, stores: dict[str, FaultyStore]
) -> None:
    """What answers 200 has stored nothing: one try, spilled; once it is InfluxDB, written back."""
    for store in stores.values():
        up.start(store)
    plant, influx = run(), stores["influxdb"]
    influx.fault = "elsewhere"
    part = assert_spilled(plant, plant.deliver(batch()), influx)
    assert "INFLUXDB_URL" in part["remedy"]
    assert plant.waits["influxdb"] == []
    mend(influx)
    assert_recovers(plant)


def test_a_batch_gets_through_a_store_that_takes_less_than_it_at_a_time(
    run: Run, up: Fronts, stores: dict[str, FaultyStore]
) -> None:
    """Each delivery goes on where the last one was throttled; held, as by any busy store."""
    up.start(stores["cosmos"])
    plant, influx = run(), stores["influxdb"]
    turns = iter(range(1_000))
    asks = Answer(429, {"Retry-After": "1"})
    events = batch(0, 11_000, bad=None)
    with in_front_of(influx, lambda _: asks if next(turns) % 4 else Answer()) as server:
        for n in (1, 2):  # a request each, and three tries of the next
            assert_held(plant, plant.deliver(events), SinkThrottledError, n * 11_000)
        assert plant.deliver(events).at(influx) == StoreCounts(11_000, 0, 0)
        assert len(server.requests) == 9


def test_a_batch_of_which_all_is_refused_without_a_word_ends(
    run: Run, up: Fronts, stores: dict[str, FaultyStore]
) -> None:
    """It is spilled after four minutes, and the drain goes on: no request is sent twice."""
    up.start(stores["cosmos"])
    plant, influx = run(), stores["influxdb"]
    seconds = slowly(plant)

    def refuse(_: Request) -> Answer:
        seconds[0] += 10.0
        return Answer(400, body=b"no")

    with in_front_of(influx, refuse) as server:
        assert plant.deliver(batch()).at(influx).spilled == len(good())
        assert [plant.drain() for _ in range(4)] == [1, 1, 1, 0]
        assert len(server.requests) == 2 * len(good()) - 1
    reasons = [letter.reason for letter in plant.deployment.letters()]
    assert reasons.count("refused_by_store") == len(good())


def slowly(plant: Plant) -> list[float]:
    """Give the sink a clock that is moved by hand."""
    seconds = [0.0]
    (sink,) = (
        outlet.sink
        for outlet in plant.deployment.app.delivery.outlets
        if isinstance(outlet.sink, InfluxSink)
    )
    sink._clock = lambda: seconds[0]
    return seconds
