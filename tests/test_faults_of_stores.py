"""Faults of a store, in the whole delivery: what happens, what is told, and that nothing is lost.

Two stores are on, and one of them fails: the other one must have its part at once. Rows of
docs/faults.md.
"""

import time

import pytest

from scoring.errors import SinkThrottledError, SpillFullError
from scoring.ledger import StoreCounts
from scoring.sinks import cosmos_account, influxdb
from tests.faulty_plants import (
    BAD,
    N_GOOD,
    SLOW_S,
    Plant,
    Run,
    assert_held,
    assert_nothing_lost,
    assert_recovers,
    assert_spilled,
    batch,
    good,
    mend,
)
from tests.faulty_stores import BUSY_S, FaultyStore, Fronts

pytest_plugins = ["tests.fault_fixtures"]
# What docs/faults.md promises: the longest that one batch is stalled by a silent store.
LONGEST_S = {"influxdb": 6, "cosmos": 10}
N_EVENTS = N_GOOD + 1


def test_a_store_that_refuses_connections_is_spilled(
    run: Run, up: Fronts, faulty: FaultyStore, other: FaultyStore
) -> None:
    """Nobody listens: the batch ends after three tries; later it is written back."""
    up.start(other)
    plant = run()
    fate = plant.deliver(batch())
    part = assert_spilled(plant, fate, faulty)
    assert "is reachable" in part["remedy"]
    assert fate.seconds < 5 + SLOW_S
    up.start(faulty)
    assert_recovers(plant)


def test_a_store_that_never_answers_stalls_a_batch_for_a_bounded_time(
    run: Run,
    up: Fronts,
    faulty: FaultyStore,
    other: FaultyStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It takes what is written, and does not say so: spilled, and stored once all the same."""
    real_s = {"influxdb": influxdb._TIMEOUT_MS / 1_000, "cosmos": cosmos_account._TIMEOUT_S}
    monkeypatch.setattr(influxdb, "_TIMEOUT_MS", 300)
    monkeypatch.setattr(cosmos_account, "_TIMEOUT_S", 0.5)
    up.start(other)
    up.start(faulty)
    plant = run()
    faulty.fault = "silent"
    started = time.monotonic()
    assert_spilled(plant, plant.deliver(batch()), faulty)
    assert time.monotonic() - started < 0.5 + SLOW_S
    waits = plant.waits[faulty.name]
    assert (len(waits) + 1) * real_s[faulty.name] + sum(waits) <= LONGEST_S[faulty.name]
    assert waits == []
    mend(faulty)
    assert_recovers(plant)


def test_a_store_that_is_silent_for_long_is_left_alone(
    run: Run,
    up: Fronts,
    faulty: FaultyStore,
    other: FaultyStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One batch finds out; the next one does not wait for it at all."""
    monkeypatch.setattr(influxdb, "_TIMEOUT_MS", 300)
    monkeypatch.setattr(cosmos_account, "_TIMEOUT_S", 0.5)
    for store in (other, faulty):
        up.start(store)
    plant = run()
    faulty.fault = "silent"
    plant.deliver(batch(0, bad=None))
    n_writes = faulty.n_writes
    assert plant.deliver(batch(2_000, bad=None)).at(faulty).spilled == N_GOOD
    assert faulty.n_writes == n_writes
    assert plant.health()[1][f"sink:{faulty.name}"]["breaker"] == "open"


def test_a_store_that_answers_500_is_spilled(plant: Plant, faulty: FaultyStore) -> None:
    """After three tries with short waits in between."""
    faulty.fault = "errors"
    fate = plant.deliver(batch())
    assert_spilled(plant, fate, faulty)
    assert fate.seconds < 5 + SLOW_S
    mend(faulty)
    assert_recovers(plant)


def test_a_store_that_asks_for_patience_holds_the_batch(
    plant: Plant, faulty: FaultyStore, other: FaultyStore
) -> None:
    """429: asked again as late as it says, then held, and nothing is spilled; the other goes on."""
    faulty.fault = "busy"
    fate = plant.deliver(batch())
    assert_held(plant, fate, SinkThrottledError, N_EVENTS)
    assert fate.seconds < 15 + SLOW_S
    assert all(seconds >= BUSY_S for seconds in plant.waits[faulty.name])
    assert (faulty.identities(), other.identities(), plant.n_spilled()) == ([], good(), 0)
    overall, parts = plant.health()
    part = parts[f"sink:{faulty.name}"]
    assert (overall, parts["scoring"]["state"], parts["scoring"]["holding"]) == (
        "degraded",
        "degraded",
        1,
    )
    assert (part["state"], part["breaker"]) == ("degraded", "busy")
    assert "the batch waits; give" in part["remedy"]
    mend(faulty)
    assert plant.deliver(batch()).error is None
    assert_nothing_lost(plant, good())


def test_a_batch_of_which_a_store_took_a_part_is_completed(
    plant: Plant, faulty: FaultyStore
) -> None:
    """All of it is spilled; what was stored already is written again, and stays one."""
    faulty.fault = "partial"
    assert_spilled(plant, plant.deliver(batch()), faulty)
    assert 0 < len(faulty.identities()) < N_GOOD
    mend(faulty)
    assert_recovers(plant)


@pytest.mark.parametrize("is_spilled", [False, True], ids=["at once", "while draining"])
def test_a_reading_that_a_store_refuses_costs_none_of_its_neighbours(
    plant: Plant, faulty: FaultyStore, other: FaultyStore, *, is_spilled: bool
) -> None:
    """It is a dead letter, the same one whenever it is refused; the other store has it."""
    faulty.refused = good()[7]
    if is_spilled:
        faulty.fault = "errors"
        assert plant.deliver(batch()).at(faulty).spilled == N_GOOD
        faulty.fault = "refusing"
        assert plant.recover(batch()) == 0
    faulty.fault = "refusing"
    assert plant.deliver(batch()).at(faulty) == StoreCounts(N_GOOD - 1, 0, 1)
    refused = [one for one in plant.deployment.letters() if one.reason == "refused_by_store"]
    assert len(refused) == 1
    letters = [BAD, refused[0].raw_bytes()]
    assert plant.health()[1][f"sink:{faulty.name}"]["refused"] == 1
    assert_nothing_lost(plant, good(), letters, {faulty.name: faulty.refused})


def test_a_full_spill_holds_the_batch(
    run: Run, up: Fronts, faulty: FaultyStore, other: FaultyStore
) -> None:
    """Nothing is dropped to make room: the hub is the buffer, and the other store goes on."""
    up.start(other)
    plant = run(SPILL_MAX_MB="0.02")
    assert plant.deliver(batch()).at(faulty).spilled == N_GOOD
    fate = plant.deliver(batch(1_000, bad=None))
    assert_held(plant, fate, SpillFullError, N_GOOD)
    assert "SPILL_MAX_MB" in str(fate.error)
    assert other.identities() == sorted(good() + good(1_000))
    _, parts = plant.health()
    assert (parts["scoring"]["holding"], parts["spill"]["batches"]) == (1, 1)
    up.start(faulty)
    assert plant.drain() == 0
    assert plant.recover(batch(1_000, bad=None)) == 0
    assert_nothing_lost(plant, sorted(good() + good(1_000)))
