"""Tests of scoring.telemetry_values: what is true at one moment, and since the last one."""

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from scoring.artifacts import LoadedModel, load_published
from scoring.cache import ModelCache, ModelState, Snapshot
from scoring.dead_letters import DeadLetterDepth
from scoring.depths import Depths
from scoring.distributions import score_bins
from scoring.ledger import BatchCounts, Ledger, ModelCounts, StoreCounts
from scoring.spill_depth import SpillDepth
from scoring.telemetry_values import LEAST_FOR_DRIFT, Observer, Sources, Values
from tests.deployments import deployed
from tests.event_batches import body, event_batch
from tests.small_models import publish, small_model

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


class FixedCache(ModelCache):
    """A cache that holds what it is given, as found some seconds ago."""

    def __init__(self, snapshot: Snapshot, *, age_s: float = 0.0, refresh_s: float = 60.0) -> None:
        super().__init__(None, [], refresh_s, lambda: 100.0)  # type: ignore[arg-type]  # never asked
        self._snapshot = replace(snapshot, checked_at=100.0 - age_s)


def sources(ledger: Ledger | None = None, snapshot: Snapshot | None = None) -> Sources:
    """Put sources together."""
    cache = FixedCache(snapshot or Snapshot())
    return Sources(ledger or Ledger(), cache, Depths(), lambda: NOW)


def numbers(values: Values, name: str) -> Mapping[tuple[str, ...], float]:
    """Return the numbers of one metric by what its attributes say."""
    return {tuple(one.attributes.values()): one.number for one in values.get(name, ())}


def test_a_process_that_did_nothing_says_nothing() -> None:
    """One that answers requests only is no scorer that stands still."""
    assert Observer(sources()).values() == {}


def test_lag_is_that_of_the_events_since_the_last_look() -> None:
    """And nothing where there were none."""
    ledger = Ledger()
    observer = Observer(sources(ledger))
    ledger.add(BatchCounts(3, 3, lag_ms=[100.0, 100.0, 10_000.0]))
    first = numbers(observer.values(), "scoring_lag_seconds")
    ledger.add(BatchCounts(1, 1, lag_ms=[5.0]))
    second = numbers(observer.values(), "scoring_lag_seconds")
    assert first["0.5",] == pytest.approx(0.1, rel=0.05)
    assert first["0.99",] == pytest.approx(10.0, rel=0.05)
    assert second["0.99",] == pytest.approx(0.005, rel=0.05)
    assert "scoring_lag_seconds" not in observer.values()


def test_two_observers_do_not_take_from_each_other() -> None:
    """Each exporter has intervals of its own."""
    ledger = Ledger()
    shared = sources(ledger)
    one, other = Observer(shared), Observer(shared)
    ledger.add(BatchCounts(1, 1, lag_ms=[5.0], stages={"whole": 1.0}))
    shared.depths.letters_measured(DeadLetterDepth(4, 1, None, is_complete=True))
    assert one.values().keys() == other.values().keys() >= {"scoring_lag_seconds"}
    assert one.stages() == other.stages() == [{"whole": 1.0}]


def test_drift_waits_for_enough_readings() -> None:
    """A thousand of them, over as many exports as that takes; then it begins anew."""
    ledger, n = Ledger(), LEAST_FOR_DRIFT // 2
    observer = Observer(sources(ledger))
    found = []
    for shift in (0.0, 0.0, 0.5, 0.5):
        bins = score_bins(np.linspace(shift, 1.0, n))
        ledger.add(BatchCounts(n, n, models={"pump": ModelCounts("1", n, 0, bins)}))
        found.append(numbers(observer.values(), "scoring_score_drift").get(("pump",)))
    assert found[::2] == [None, None]
    assert found[1] == pytest.approx(0.0, abs=0.01)
    assert found[3] is not None
    assert found[3] > 1


def test_a_model_without_calibration_has_no_drift() -> None:
    """Its scores have no scale."""
    ledger = Ledger()
    ledger.add(BatchCounts(5_000, 5_000, models={"pump": ModelCounts("1", 5_000, 0)}))
    values = Observer(sources(ledger)).values()
    assert "scoring_score_drift" not in values
    assert numbers(values, "scoring_scored_total") == {("pump",): 5_000}


def test_a_measurement_leaves_once() -> None:
    """By the process of the timer that made it: another process's timer takes over."""
    found = sources()
    observer = Observer(found)
    depth = SpillDepth(2, 500, NOW - timedelta(seconds=90))
    found.depths.spill_measured({"influxdb": depth, "cosmos": SpillDepth(0, 0, None)}, NOW)
    found.depths.letters_measured(DeadLetterDepth(3, 1, None, is_complete=True))
    values = observer.values()
    assert numbers(values, "scoring_spill_batches") == {("influxdb",): 2, ("cosmos",): 0}
    assert numbers(values, "scoring_spill_bytes") == {("influxdb",): 500, ("cosmos",): 0}
    assert numbers(values, "scoring_spill_age_seconds") == {("influxdb",): 90, ("cosmos",): 0}
    assert numbers(values, "scoring_dead_letters") == {(): 3}
    assert observer.values() == {}


def test_what_a_store_refuses_later_is_refused_all_the_same() -> None:
    """Also in a process that drains and never scores."""
    ledger = Ledger()
    ledger.count("refused", "influxdb", n=2)
    ledger.count("drained", "influxdb", n=7)
    values = Observer(sources(ledger)).values()
    assert numbers(values, "scoring_refused_total") == {("influxdb",): 2}
    assert numbers(values, "scoring_drained_total") == {("influxdb",): 7}
    ledger.add(BatchCounts(3, 3, stores={"influxdb": StoreCounts(2, 0, 1)}))
    values = Observer(sources(ledger)).values()
    assert numbers(values, "scoring_refused_total") == {("influxdb",): 3}


@pytest.mark.parametrize(
    ("state", "refused", "stale"),
    [("ready", 0, 0), ("refused", 1, 0), ("unreachable", 0, 1), ("missing", 0, 1)],
)
def test_the_state_of_a_model_is_told(state: str, refused: int, stale: int) -> None:
    """Whether or not an earlier version is in use."""
    snapshot = Snapshot(states={"pump": ModelState(state)})  # type: ignore[arg-type]  # a parameter
    values = Observer(sources(snapshot=snapshot)).values()
    assert numbers(values, "scoring_model_refused") == {("pump",): refused}
    assert numbers(values, "scoring_model_stale") == {("pump",): stale}
    assert "scoring_model_age_seconds" not in values


@pytest.mark.parametrize(
    ("age_s", "refresh_s", "is_told"),
    [(900, 60, True), (901, 60, False), (901, 181, True), (905, 181, True), (906, 181, False)],
)
def test_an_idle_process_does_not_repeat_what_it_found_long_ago(
    age_s: float, refresh_s: float, *, is_told: bool
) -> None:
    """Storage may answer again, and the model may be another; only who looks can tell."""
    snapshot = Snapshot({"default": loaded_model()}, {"default": ModelState("unreachable")})
    cache = FixedCache(snapshot, age_s=age_s, refresh_s=refresh_s)
    values = Observer(Sources(Ledger(), cache, Depths(), lambda: NOW)).values()
    told = {name for name in values if name.startswith("scoring_model_")}
    names = {f"scoring_model_{name}" for name in ("refused", "stale", "age_seconds")}
    assert told == (names if is_told else set())


@pytest.mark.parametrize(
    ("created_at", "age_s"),
    [
        ("2026-05-01T11:00:00+00:00", 3_600),
        ("2026-05-01T11:00:00", 3_600),
        ("2026-05-01T13:00:00+02:00", 3_600),
        ("2027-01-01T00:00:00Z", 0),
        ("long ago", 40),
        (None, 40),
    ],
)
def test_a_model_is_as_old_as_its_manifest_says(created_at: str | None, age_s: float) -> None:
    """Without a manifest, or where it cannot be read: since the model was loaded."""
    model = replace(loaded_model(), created_at=created_at)
    state = ModelState("ready", loaded_at=60.0)
    snapshot = Snapshot({"default": model}, {"default": state})
    values = Observer(sources(snapshot=snapshot)).values()
    expected = {("default", model.version): age_s}
    assert numbers(values, "scoring_model_age_seconds") == expected


def loaded_model() -> LoadedModel:
    """Load the small model."""
    artifact = small_model()
    return load_published(artifact.data, artifact.manifest, trusted=frozenset(), feature_keys=None)


def test_stages_that_nobody_takes_do_not_pile_up() -> None:
    """The newest are kept."""
    ledger = Ledger(stages_kept=3)
    for number in range(10):
        ledger.add(BatchCounts(0, stages={"whole": float(number)}))
    n, found = ledger.stages_since(0)
    assert n == 10
    assert sorted(one["whole"] for one in found) == [7, 8, 9]
    assert ledger.stages_since(10) == (10, [])


def test_attributes_stay_few_whatever_arrives(tmp_path: Path) -> None:
    """Sensors, fields and texts of readings become no attribute: models and reasons alone do."""
    with deployed(tmp_path, MODEL_ROUTES="a-*=default,b-*=default") as deployment:
        publish(deployment.models, small_model())
        bodies = [body(i, f"{'ab'[i % 2]}-{i}") for i in range(200)]
        bodies += [body(i, f"c-{i}") for i in range(200)]
        bodies += [body(i, "a-1", temperature=f"text {i}") for i in range(200)]
        deployment.app.delivery.deliver(event_batch(bodies, hub=deployment.hub))
        built = deployment.app.delivery
        found = Sources(built.ledger, built.cache, Depths(), lambda: NOW)
        values = Observer(found).values()
    rejected = numbers(values, "scoring_rejected_total")
    assert rejected == {("no_route",): 200, ("feature_not_a_number",): 200}
    assert numbers(values, "scoring_scored_total") == {("default",): 200}
    assert sum(map(len, values.values())) < 25
    assert all(math.isfinite(one.number) for found in values.values() for one in found)
