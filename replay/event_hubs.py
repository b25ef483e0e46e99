"""Sends readings to Azure Event Hubs."""

from collections.abc import Mapping, Sequence

from azure.eventhub import EventData, EventDataBatch, EventHubProducerClient
from azure.eventhub.exceptions import EventHubError
from azure.identity import DefaultAzureCredential

from replay.sending import Message, SendError

MAX_KEY_CHARACTERS = 128  # the service refuses longer partition keys


class EventHubsSender:
    """Sender to Azure Event Hubs or its emulator.

    Delivery: at least once. A batch holds the readings of one partition key and is committed
    when the service has accepted it; the client library tries again by itself, then SendError
    is raised. Not thread-safe.

    Parameters
    ----------
    client : EventHubProducerClient
        Connected to the hub; closed with the sender.
    """

    def __init__(self, client: EventHubProducerClient) -> None:
        self._client = client

    @classmethod
    def from_environment(
        cls, hub: str, environment: Mapping[str, str], connection: str = "EventHubConnection"
    ) -> "EventHubsSender":
        """Connect as the app's trigger does.

        Parameters
        ----------
        hub : str
            The event hub's name.
        environment : mapping of str to str
            Holds a connection string under `connection`, or the namespace under
            ``<connection>__fullyQualifiedNamespace``, which is entered with the identity of
            who runs this.
        connection : str
            The setting's name.
        """
        namespace = environment.get(f"{connection}__fullyQualifiedNamespace")
        text = environment.get(connection)
        if namespace:
            return cls(EventHubProducerClient(namespace, hub, DefaultAzureCredential()))
        if not text:
            raise SendError(
                hub,
                f"neither {connection} nor {connection}__fullyQualifiedNamespace is set",
                "set one in the environment",
            )
        try:
            return cls(EventHubProducerClient.from_connection_string(text, eventhub_name=hub))
        except ValueError as error:
            # The library's message may hold the key.
            raise SendError(hub, f"{connection} is no connection string", "copy it anew") from error

    def send(self, messages: Sequence[Message]) -> None:
        """Commit these readings or raise SendError."""
        by_key: dict[str, list[bytes]] = {}
        for message in messages:
            by_key.setdefault(message.key, []).append(message.body)
        try:
            for key, bodies in by_key.items():
                self._send_key(key, bodies)
        except EventHubError as error:
            raise SendError(
                self._client.eventhub_name,
                str(error),
                "check its name, the network and the role Azure Event Hubs Data Sender",
            ) from error

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _send_key(self, key: str, bodies: Sequence[bytes]) -> None:
        batch = self._new_batch(key)
        for body in bodies:
            event = EventData(body)
            if not _fits(batch, event):
                self._client.send_batch(batch)
                batch = self._new_batch(key)
                if not _fits(batch, event):
                    raise SendError(
                        self._client.eventhub_name,
                        f"a reading of {key!r} has {len(body):,} bytes",
                        f"a publication holds {batch.max_size_in_bytes:,}: send fewer features",
                    )
        self._client.send_batch(batch)

    def _new_batch(self, key: str) -> EventDataBatch:
        return self._client.create_batch(partition_key=key[:MAX_KEY_CHARACTERS])


def _fits(batch: EventDataBatch, event: EventData) -> bool:
    try:
        batch.add(event)
    except ValueError:  # how the library says that a batch is full
        return False
    return True
