"""Tests of replay.event_hubs: readings go to Event Hubs under their keys."""

from collections.abc import Iterator

import pytest
from azure.eventhub import EventHubProducerClient
from azure.identity import DefaultAzureCredential

from replay.event_hubs import EventHubsSender
from replay.sending import Message, SendError
from tests.event_hubs_double import EventHubsDouble

HUB = "plant"


@pytest.fixture
def event_hubs() -> Iterator[tuple[EventHubsDouble, EventHubsSender]]:
    """Give an event hub that speaks AMQP, and a sender to it."""
    with EventHubsDouble(HUB) as double:
        environment = {"EventHubConnection": double.connection_string}
        sender = EventHubsSender.from_environment(HUB, environment)
        yield double, sender
        sender.close()


def test_event_hubs_gets_each_sensors_readings_under_its_key(
    event_hubs: tuple[EventHubsDouble, EventHubsSender],
) -> None:
    """One batch a key, in order."""
    double, sender = event_hubs
    sender.send([Message(key, b"%d" % i, 0) for i in range(100) for key in ("p", "q")])
    for key in ("p", "q"):
        bodies = [event.body for event in double.received if event.key == key]
        assert bodies == [b"%d" % i for i in range(100)]
    assert double.n_transfers == 2


def test_event_hubs_gets_more_batches_where_one_is_too_small(
    event_hubs: tuple[EventHubsDouble, EventHubsSender],
) -> None:
    """Ten readings of 300 kB are four batches of 1 MiB."""
    double, sender = event_hubs
    sender.send([Message("p", b"x" * 300_000, 0)] * 10)
    assert (len(double.received), double.n_transfers) == (10, 4)


def test_a_reading_too_large_for_event_hubs_is_named(
    event_hubs: tuple[EventHubsDouble, EventHubsSender],
) -> None:
    """The message holds its sensor and both sizes."""
    with pytest.raises(SendError, match=r"'p' has 2,000,000 bytes.*1,048,576"):
        event_hubs[1].send([Message("p", b"x" * 2_000_000, 0)])


def test_a_batch_that_event_hubs_refuses_raises() -> None:
    """After the library's own attempts; nothing of it counts."""
    with EventHubsDouble(HUB) as double:
        client = EventHubProducerClient.from_connection_string(
            double.connection_string, eventhub_name=HUB, retry_total=0
        )
        sender = EventHubsSender(client)
        double.is_refusing = True
        with pytest.raises(SendError, match=r"plant: .*refused"):
            sender.send([Message("p", b"{}", 0)])
        sender.close()
    assert double.received == []


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        pytest.param({}, "EventHubConnection__fullyQualifiedNamespace is set", id="nothing set"),
        pytest.param({"EventHubConnection": "secret"}, "no connection string", id="no connection"),
    ],
)
def test_a_missing_connection_is_an_error_that_keeps_secrets(
    environment: dict[str, str], words: str
) -> None:
    """It names what to set, never a value."""
    with pytest.raises(SendError, match=words) as caught:
        EventHubsSender.from_environment(HUB, environment)
    assert "secret" not in str(caught.value)


def test_a_namespace_is_entered_with_the_users_identity() -> None:
    """As the app's own trigger is, without a key."""
    environment = {"EventHubConnection__fullyQualifiedNamespace": "ns.servicebus.windows.net"}
    sender = EventHubsSender.from_environment(HUB, environment)
    assert sender._client._address.hostname == "ns.servicebus.windows.net"
    assert isinstance(sender._client._credential, DefaultAzureCredential)
    sender.close()
