"""A machine's clock that is wrong by a day, in the whole delivery. Rows of docs/faults.md.

The times of readings are their own, those of events are the hub's, and storage dates its files by
a clock that is right.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.faulty_plants import (
    N_GOOD,
    Clock,
    Plant,
    assert_nothing_lost,
    batch,
    good,
    mend,
    publish_model,
    running_plant,
)
from tests.faulty_stores import InfluxStore, fronts
from tests.small_models import publish, small_model

DAY_S = 86_400
REFRESH_S = 20.0  # what a machine that is busy with other tests may take to load a model
ahead_or_behind = pytest.mark.parametrize("days", [1, -1], ids=["ahead", "behind"])


@pytest.fixture
def influx() -> Iterator[InfluxStore]:
    """Run a store."""
    store = InfluxStore()
    with fronts() as up:
        up.start(store)
        yield store


@pytest.fixture
def scorer(tmp_path: Path, influx: InfluxStore) -> Iterator[Plant]:
    """Run the process that scores, with a clock of its own."""
    with running_plant(tmp_path, Clock(), [influx], MODEL_REFRESH_SECONDS="0.1") as plant:
        publish_model(plant)
        yield plant


@pytest.fixture
def reader(tmp_path: Path, influx: InfluxStore, scorer: Plant) -> Iterator[Plant]:
    """Run the process that answers HTTP, with another clock."""
    with ExitStack() as stack:
        yield stack.enter_context(running_plant(tmp_path, Clock(), [influx]))


def ages(part: Any) -> list[float]:
    """Return every age and lag that stands in a health document."""
    if not isinstance(part, dict):
        return []
    found = [value for name, value in part.items() if name.endswith(("age_s", "lag_max_ms"))]
    return found + [age for one in part.values() for age in ages(one)]


@ahead_or_behind
def test_a_scorer_whose_clock_is_wrong_by_a_day_is_told(
    scorer: Plant, reader: Plant, days: int
) -> None:
    """It scores as ever; health shows how far it is off, and no nonsense."""
    scorer.clock.move(days=days)
    assert scorer.deliver(batch()).error is None
    overall, parts = reader.health()
    assert (overall, parts["scoring"]["state"], parts["scoring"]["processes"]) == (
        "degraded",
        "degraded",
        1,
    )
    assert parts["scoring"]["clock_off_s"] == pytest.approx(days * DAY_S, abs=60)
    assert parts["scoring"]["last_batch_age_s"] < 60
    assert all(age >= 0 for age in ages(parts) if age is not None)
    scorer.clock.move(days=-days)
    assert scorer.deliver(batch()).error is None
    reader.clock.move(seconds=16)
    assert reader.health()[0] == "ok"
    assert_nothing_lost(scorer, good())


def test_a_lag_is_never_below_zero(scorer: Plant) -> None:
    """A clock behind the hub's would say that a batch ended before it came."""
    scorer.clock.move(days=-100_000)
    counts = scorer.deliver(batch()).counts
    assert counts is not None
    assert set(counts.lag_ms) == {0.0}


@ahead_or_behind
def test_a_reader_whose_clock_is_wrong_by_a_day_sees_who_scores(
    scorer: Plant, reader: Plant, days: int
) -> None:
    """Not at its first look, but from the next record on: it sees that one change."""
    reader.clock.move(days=days)
    scorer.deliver(batch())
    assert reader.health()[1]["scoring"] == {"state": "idle", "processes": 0}
    scorer.deliver(batch())
    reader.clock.move(seconds=2)
    overall, parts = reader.health()
    assert (overall, parts["scoring"]["processes"]) == ("ok", 1)
    assert all(age >= 0 for age in ages(parts) if age is not None)


def test_a_process_that_ended_is_not_fresh_for_a_day(scorer: Plant, reader: Plant) -> None:
    """For a reader whose clock is behind, its last record is dated in the future."""
    scorer.deliver(batch())
    reader.clock.move(days=-1)
    assert reader.health()[1]["scoring"]["processes"] == 0


def test_a_clock_that_is_set_back_by_a_day_stops_no_report(
    scorer: Plant, influx: InfluxStore
) -> None:
    """Neither status records, nor the depths of spill and dead letters."""
    scorer.clock.move(days=1)
    assert scorer.deliver(batch()).error is None
    scorer.health()
    scorer.clock.move(days=-1)
    influx.fault = "errors"
    assert scorer.deliver(batch(1_000)).at(influx).spilled == N_GOOD
    _, parts = scorer.health()
    assert parts["scoring"]["counts"]["received"] == 2 * (N_GOOD + 1)
    assert (parts["spill"]["batches"], parts["dead_letters"]["files"]) == (1, 2)
    mend(influx)
    assert scorer.drain() == 0
    scorer.clock.move(seconds=11)  # what a listing tells counts for ten seconds
    assert scorer.health()[1]["spill"]["batches"] == 0


@ahead_or_behind
def test_what_waits_and_what_was_rejected_keeps_its_place_under_a_wrong_clock(
    scorer: Plant, influx: InfluxStore, days: int
) -> None:
    """Names follow from the events: a batch that comes again takes its own place, in order."""
    influx.fault = "errors"
    for off, first in ((0, 0), (days, 1_000), (-days, 0)):
        scorer.clock.move(days=off)
        assert scorer.deliver(batch(first)).at(influx).spilled == N_GOOD
    assert scorer.n_spilled() == 2
    assert len(scorer.deployment.letters()) == 2
    waiting = scorer.deployment.app.delivery.outlets[0].spill.waiting("influxdb")
    assert [spilled.sequence_numbers[0] for _, spilled in waiting] == [0, 1_000]
    mend(influx)
    assert scorer.drain() == 0
    assert influx.identities() == sorted(good() + good(1_000))


@ahead_or_behind
def test_a_model_is_refreshed_whatever_the_clock_says(scorer: Plant, days: int) -> None:
    """The interval is measured by a clock that cannot be set."""
    scorer.deliver(batch())
    scorer.clock.move(days=days)
    version = publish(scorer.deployment.models, small_model(seed=1))
    cache, started = scorer.deployment.app.delivery.cache, time.monotonic()
    while cache.latest().get("default").version != version:
        assert time.monotonic() - started < REFRESH_S
        assert scorer.deliver(batch()).error is None


@ahead_or_behind
def test_a_store_is_left_alone_for_its_pause_whatever_the_clock_says(
    scorer: Plant, influx: InfluxStore, days: int
) -> None:
    """Neither shorter nor longer: the breaker's clock cannot be set either."""
    influx.fault = "errors"
    scorer.deliver(batch(0))
    mend(influx)
    scorer.clock.move(days=days)
    n_writes = influx.n_writes
    assert scorer.deliver(batch(2_000)).at(influx).spilled == N_GOOD
    assert influx.n_writes == n_writes
    scorer.let_breakers_try()
    scorer.deliver(batch(2_000))
    assert influx.n_writes > n_writes
    assert scorer.deliver(batch(2_000)).at(influx).written == N_GOOD
