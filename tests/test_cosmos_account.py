"""Tests of scoring.sinks.cosmos_account: on a real server from npm."""

import threading
import time
from contextlib import closing
from functools import partial
from typing import Any

import azure.identity
import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure.cosmos import ContainerProxy, PartitionKey

from scoring.cosmos_settings import CosmosSettings
from scoring.errors import SinkUnavailableError
from scoring.sinks.cosmos import CosmosSink
from tests.at_once import at_once
from tests.cosmos_server import KEY, CosmosServer, documents, is_batch, running_cosmos
from tests.cosmos_sinks import faulty
from tests.http_double import Answer
from tests.moved_time import Waits
from tests.scored_batches import scored_batch

pytest_plugins = ["tests.cosmos_fixtures"]


def test_what_is_missing_is_made_with_a_connection_string(
    cosmos_sink: CosmosSink, container: ContainerProxy
) -> None:
    """With partition key, index and time to live of the contract."""
    cosmos_sink.write([scored_batch(1)])
    found = container.read()
    assert found["partitionKey"]["paths"] == ["/sensor_id"]
    assert found["defaultTtl"] == 90 * 24 * 3600
    policy = found["indexingPolicy"]
    assert policy["excludedPaths"] == [{"path": "/*"}]
    assert {one["path"] for one in policy["includedPaths"]} == {
        "/sensor_id/?",
        "/event_time/?",
        "/model/?",
        "/is_anomaly/?",
    }
    (index,) = policy["compositeIndexes"]
    assert [(one["path"], one["order"]) for one in index] == [
        ("/sensor_id", "ascending"),
        ("/event_time", "descending"),
    ]


def test_a_container_that_is_there_stays_as_it_is(
    cosmos: CosmosServer, container_name: str, cosmos_sink: CosmosSink, container: ContainerProxy
) -> None:
    """Its owner may have another time to live."""
    with cosmos.client() as client:
        database = client.create_database_if_not_exists("plant")
        database.create_container(container_name, PartitionKey("/sensor_id"), default_ttl=7)
    cosmos_sink.write([scored_batch(1)])
    assert container.read()["defaultTtl"] == 7


def test_a_container_with_another_partition_key_is_refused_whole(
    cosmos: CosmosServer, container_name: str, cosmos_sink: CosmosSink
) -> None:
    """It would refuse every document, and all readings would be dead letters."""
    with cosmos.client() as client:
        database = client.create_database_if_not_exists("plant")
        database.create_container(container_name, PartitionKey("/device"))
    with pytest.raises(SinkUnavailableError, match=r"than /sensor_id; set COSMOS_CONTAINER"):
        cosmos_sink.write([scored_batch(1)])


class Credential:
    """Stands in for the identity of an app: no server gives tokens on loopback."""

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        """Return a token for an hour."""
        return AccessToken("token", int(time.time()) + 3600)


# The server's certificate is its own; the client checks none on loopback.
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_under_an_identity_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """The deployment makes database and container; once they are there, the same sink writes."""
    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", Credential)
    with running_cosmos(scheme="https") as cosmos, cosmos.client() as client:
        found = CosmosSettings(cosmos.url, None, "plant", "scores", "all")
        with closing(CosmosSink(found, ("sensor_id",), Waits())) as sink:
            with pytest.raises(SinkUnavailableError, match=r"COSMOS_DATABASE and .*CONTAINER"):
                sink.write([scored_batch(1)])
            assert list(client.list_databases()) == []
            database = client.create_database("plant")
            container = database.create_container("scores", PartitionKey("/sensor_id"))
            sink.write([scored_batch(1)])
            assert len(documents(container)) == 1


def test_an_identity_without_a_token_is_told_its_role(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There is nothing to try again."""

    class Nobody(Credential):
        def get_token(self, *_: str, **__: Any) -> AccessToken:
            raise ClientAuthenticationError("no identity")

    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", Nobody)
    waits = Waits()
    found = CosmosSettings("https://127.0.0.1:1", None, "plant", "scores", "all")
    with (
        closing(CosmosSink(found, ("sensor_id",), waits)) as sink,
        pytest.raises(SinkUnavailableError, match="Data Contributor on the container of COSM"),
    ):
        sink.write([scored_batch(1)])
    assert waits.seconds == []


def test_threads_wait_together_for_an_identity_without_a_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Which may take long: those that waited for the first to be told do not ask as well."""
    n_asked: list[None] = []

    class Slow(Credential):
        def get_token(self, *_: str, **__: Any) -> AccessToken:
            n_asked.append(None)
            threading.Event().wait(0.5)
            raise ClientAuthenticationError("no identity")

    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", Slow)
    found = CosmosSettings("https://127.0.0.1:1", None, "plant", "scores", "all")
    errors: list[str] = []
    together = threading.Barrier(8)

    def write() -> None:
        together.wait()
        with pytest.raises(SinkUnavailableError) as caught:
            sink.write([scored_batch(1)])
        errors.append(str(caught.value))

    with closing(CosmosSink(found, ("sensor_id",), Waits())) as sink:
        threads = [threading.Thread(target=write) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(n_asked) == 1
    assert len(errors) == 8
    assert all("Data Contributor on the container of COSM" in error for error in errors)


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_key_is_named_at_once(
    cosmos: CosmosServer, container_name: str, status: int
) -> None:
    """One try, and the key stands in no message."""
    with (
        faulty(
            cosmos, container_name, lambda one: Answer(status) if is_batch(one) else None
        ) as found,
        pytest.raises(SinkUnavailableError) as caught,
    ):
        found[0].write([scored_batch(1)])
    assert len(found[1].batches) == 1
    assert f"answered {status}; check the key in COSMOS_CONNECTION_STRING" in str(caught.value)
    assert KEY not in str(caught.value)


def test_threads_share_one_client(
    cosmos: CosmosServer, container_name: str, container: ContainerProxy
) -> None:
    """Partitions write at the same time: the account is asked once, and nothing gets lost."""
    with faulty(cosmos, container_name, lambda _: None) as (sink, proxy, _):
        at_once([partial(sink.write, [scored_batch(1, first=i)]) for i in range(16)])
    assert len(documents(container)) == 16
    assert sum(one.method == "POST" and not is_batch(one) for one in proxy.requests) <= 2


def test_a_closed_sink_opens_again(cosmos_sink: CosmosSink, container: ContainerProxy) -> None:
    """A test or a host may let go of it between batches."""
    for first in (0, 5):
        sensors = [f"pump-{i}" for i in range(5)]
        cosmos_sink.write([scored_batch(5, first=first, sensor_ids=sensors)])
        cosmos_sink.close()
    assert len(documents(container)) == 10
