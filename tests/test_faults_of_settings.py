"""Settings that a store refuses, in the whole delivery: the one to look at is named.

Rows of docs/faults.md.
"""

import time
from pathlib import Path
from typing import Any

import azure.identity
import pytest
from azure.core.credentials import AccessToken
from azure.cosmos import PartitionKey

from scoring.ledger import StoreCounts
from tests.cosmos_server import documents, running_cosmos
from tests.faulty_plants import (
    N_GOOD,
    Clock,
    Plant,
    Run,
    assert_nothing_lost,
    assert_recovers,
    assert_spilled,
    batch,
    good,
    mend,
    publish_model,
    running_plant,
)
from tests.faulty_stores import FaultyStore, Fronts

pytest_plugins = ["tests.fault_fixtures"]


def test_a_wrong_token_is_named_and_what_waited_is_written_after_the_restart(
    run: Run, up: Fronts, faulty: FaultyStore, other: FaultyStore
) -> None:
    """One try, spilled; health names the setting. A mended setting restarts the app."""
    for store in (other, faulty):
        up.start(store)
    wrong = {"INFLUXDB_TOKEN": "another"} if faulty.name == "influxdb" else {}
    plant = run(**wrong)
    faulty.fault = "denied" if faulty.name == "cosmos" else ""
    fate = plant.deliver(batch())
    part = assert_spilled(plant, fate, faulty)
    setting = {"influxdb": "INFLUXDB_TOKEN", "cosmos": "COSMOS_CONNECTION_STRING"}[faulty.name]
    assert setting in part["remedy"]
    assert plant.waits[faulty.name] == []
    mend(faulty)
    assert_recovers(run())


def test_a_missing_bucket_is_named(plant: Plant, stores: dict[str, FaultyStore]) -> None:
    """One try, spilled; once it is made the same app writes back."""
    influx = stores["influxdb"]
    influx.fault = "missing"
    part = assert_spilled(plant, plant.deliver(batch()), influx)
    assert "INFLUXDB_BUCKET" in part["remedy"]
    assert plant.waits["influxdb"] == []
    mend(influx)
    assert_recovers(plant)


class Credential:
    """Stands in for the identity of an app: no server gives tokens on loopback."""

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        """Return a token for an hour."""
        return AccessToken("token", int(time.time()) + 3600)


# The server's certificate is its own; the client checks none on loopback.
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_a_missing_container_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under an identity nothing is made: spilled, until the deployment has made it."""
    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", Credential)
    with running_cosmos(scheme="https") as server, server.client() as client:
        environ = {"COSMOS_ENDPOINT": server.url, "COSMOS_DATABASE": "plant", "COSMOS_WRITE": "all"}
        with running_plant(tmp_path, Clock(), [], **environ) as plant:
            publish_model(plant)
            counts = plant.deliver(batch()).counts
            assert counts is not None
            assert counts.stores["cosmos"] == StoreCounts(0, N_GOOD, 0)
            overall, parts = plant.health()
            assert (overall, parts["sink:cosmos"]["state"]) == ("degraded", "degraded")
            for setting in ("COSMOS_DATABASE", "COSMOS_CONTAINER"):
                assert setting in parts["sink:cosmos"]["remedy"]
            database = client.create_database("plant")
            container = database.create_container("anomalies", PartitionKey("/sensor_id"))
            assert plant.recover(batch()) == 0
            stored = [(one["sensor_id"], int(one["event_time_ns"])) for one in documents(container)]
            assert sorted(stored) == good()
            assert_nothing_lost(plant, good())
