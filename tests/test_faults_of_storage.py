"""Blob Storage that is down, in the whole delivery: batches are held, or go on without it.

Rows of docs/faults.md. Blob Storage is a real Azurite that is stopped and started again on its
data.
"""

from pathlib import Path

import pytest

from scoring.errors import ModelUnavailableError, StorageUnavailableError
from tests.blob_plants import Blob, blob_plant
from tests.faulty_plants import (
    N_GOOD,
    assert_held,
    assert_nothing_lost,
    batch,
    good,
    publish_model,
)
from tests.faulty_stores import Fronts, InfluxStore

pytest_plugins = ["tests.blob_fixtures"]

N_EVENTS = N_GOOD + 1
# What docs/faults.md promises for one batch while connections to Blob Storage are refused.
LONGEST_S = 20


def test_blob_storage_that_is_down_at_the_start_holds_batches_until_it_answers(
    tmp_path: Path, blob: Blob, influx: InfluxStore, up: Fronts
) -> None:
    """No model yet: 503. The same process goes on by itself, without a restart."""
    up.start(influx)
    blob.start()
    with blob_plant(tmp_path, blob, influx) as first:
        publish_model(first)
    blob.stop()
    with blob_plant(tmp_path, blob, influx) as plant:
        fate = plant.deliver(batch())
        assert_held(plant, fate, ModelUnavailableError, N_EVENTS)
        assert fate.seconds < LONGEST_S
        overall, parts = plant.health()
        assert (overall, parts["storage"]["state"]) == ("unavailable", "unreachable")
        assert parts["model:default"]["found"] == "unreachable"
        blob.start()
        plant.let_models_be_looked_for()
        assert plant.deliver(batch()).error is None
        assert_nothing_lost(plant, good())


@pytest.mark.usefixtures("without_pauses")
def test_blob_storage_that_is_down_during_a_refresh_leaves_the_model_in_use(
    tmp_path: Path, blob: Blob, influx: InfluxStore, up: Fronts
) -> None:
    """Scores go on; only a batch with something to keep there is held."""
    up.start(influx)
    blob.start()
    with blob_plant(tmp_path, blob, influx) as plant:
        publish_model(plant)
        assert plant.deliver(batch(500, bad=None)).error is None
        blob.stop()
        scored = plant.deliver(batch(1_000, bad=None))
        assert scored.at(influx).written == N_GOOD
        overall, parts = plant.health()
        assert (overall, parts["storage"]["state"]) == ("degraded", "unreachable")
        assert parts["model:default"]["state"] == "unreachable"
        assert parts["model:default"]["version"]
        held = plant.deliver(batch())
        assert_held(plant, held, StorageUnavailableError, N_EVENTS)
        blob.start()
        assert plant.deliver(batch()).error is None
        assert_nothing_lost(plant, sorted(good() + good(500) + good(1_000)))


@pytest.mark.usefixtures("without_pauses")
def test_blob_storage_that_is_down_when_a_store_is_holds_the_batch(
    tmp_path: Path, blob: Blob, influx: InfluxStore, up: Fronts
) -> None:
    """Nothing to put it into: it comes again, also when only the spill is back."""
    blob.start()
    with blob_plant(tmp_path, blob, influx) as plant:
        publish_model(plant)
        plant.deployment.app.delivery.cache.refresh()
        blob.stop()
        fate = plant.deliver(batch(bad=None))
        assert_held(plant, fate, StorageUnavailableError, N_GOOD)
        assert "spill/" in str(fate.error)
        assert plant.health()[1]["storage"]["state"] == "unreachable"
        blob.start()
        assert plant.deliver(batch(bad=None)).at(influx).spilled == N_GOOD
        up.start(influx)
        assert plant.drain() == 0
        assert plant.recover(batch(bad=None)) == 0
        assert_nothing_lost(plant, good(), [])
