"""Tests of scoring.storage.blob: what Azurite, or nobody, answers."""

import socket
import time
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest

from local.azurite import Azurite, Ports, connection_string
from scoring.errors import StorageUnavailableError
from scoring.storage import BlobStorage, NotRead
from scoring.storage.blob import BlobContainer


def test_the_development_storage_is_azurite() -> None:
    """The short connection string stands for the emulator's usual ports and its public key."""
    short = BlobStorage(connection_string="UseDevelopmentStorage=true").service()
    long = BlobStorage(connection_string=connection_string(Ports())).service()
    assert short.url.rstrip("/") == long.url.rstrip("/")
    assert short.credential.account_key == long.credential.account_key


@pytest.mark.parametrize("call", ["get", "put", "list", "delete"])
def test_a_malformed_connection_string_is_told_on_use(call: str) -> None:
    """Building the app must not fail; using the storage says what is wrong."""
    container = BlobStorage(connection_string="nonsense").container("models")
    calls: dict[str, Callable[[], object]] = {
        "get": lambda: container.get("a"),
        "put": lambda: container.put("a", b""),
        "list": lambda: list(container.list()),
        "delete": lambda: container.delete("a"),
    }
    with pytest.raises(StorageUnavailableError, match="malformed"):
        calls[call]()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Return a port that refuses: it is bound, and nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_an_unreachable_store_is_given_up_soon(closed_port: int) -> None:
    """A batch waits for the first model: the error comes within seconds, after a few attempts."""
    text = connection_string(Ports(blob=closed_port))
    began = time.monotonic()
    with pytest.raises(StorageUnavailableError, match="models/current"):
        BlobStorage(connection_string=text).container("models").get("current.json")
    assert time.monotonic() - began < 20


def test_a_wrong_key_is_unavailable(azurite: Azurite) -> None:
    """Being turned away is told like being unreachable, with the service's own code."""
    key = connection_string(Ports()).partition("AccountKey=")[2].partition(";")[0]
    text = azurite.connection_string.replace(key, "bm90IHRoZSBrZXk=")
    with pytest.raises(StorageUnavailableError, match="AuthorizationFailure"):
        BlobStorage(connection_string=text).container("models").get("a")


def test_by_identity_no_container_is_made(azurite: Azurite) -> None:
    """The deployment makes containers; an app with an identity has no right to."""
    storage = BlobStorage(connection_string=azurite.connection_string)
    container = BlobContainer(f"none-{uuid4().hex[:8]}", storage, may_create=False)
    with pytest.raises(StorageUnavailableError, match="does not exist"):
        container.put("a", b"1")
    assert container.get("a") is NotRead.MISSING
