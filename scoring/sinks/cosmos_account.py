"""Opens the one container of a Cosmos DB account that scores are written to."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from scoring.cosmos_settings import CosmosSettings, account_endpoint
from scoring.errors import SinkThrottledError, SinkUnavailableError
from scoring.sinks.cosmos_answers import UNREADABLE, WAITED_IN_VAIN
from scoring.sinks.cosmos_silence import Silence

if TYPE_CHECKING:
    from azure.cosmos import ContainerProxy, CosmosClient

SINK_NAME = "cosmos"
PARTITION_KEY = "/sensor_id"
# 90 days; seconds since the last write of a document.
DEFAULT_TTL_S = 90 * 86_400
# Only what is asked for: a write costs less than half of what the default index makes it cost.
INDEXING_POLICY: dict[str, Any] = {
    "indexingMode": "consistent",
    "automatic": True,
    "includedPaths": [
        {"path": f"/{name}/?"} for name in ("sensor_id", "event_time", "model", "is_anomaly")
    ],
    "excludedPaths": [{"path": "/*"}],
    "compositeIndexes": [
        [
            {"path": "/sensor_id", "order": "ascending"},
            {"path": "/event_time", "order": "descending"},
        ]
    ],
}
# The service itself ends a batch after 5 s.
_TIMEOUT_S = 5
# All tries of the first request to an account; the client by itself would go on for a minute.
_OPENING_TIMEOUT_S = 8
_THROTTLED = "answered 429"


class CosmosAccount:
    """One client a process, made on first use; safe to share between threads.

    Under an identity nothing is made. With a connection string a missing database and container
    are made, the container with the partition key, index and time to live of the contract.

    Parameters
    ----------
    settings : CosmosSettings
    clock : callable
        Monotonic seconds.
    """

    def __init__(
        self, settings: CosmosSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.silence = Silence(clock, _TIMEOUT_S)
        self._settings = settings
        self._clock = clock
        self._without_token_s = float("-inf")
        self._lock = threading.Lock()
        self._client: CosmosClient | None = None
        self._container: ContainerProxy | None = None

    def container(self) -> "ContainerProxy":
        """Return the container. Threads that wait while one opens it share what it meets.

        Raises
        ------
        AzureError
            If the account does not answer, or refuses.
        SinkUnavailableError
            If the container has another partition key, if what answers is no Cosmos DB account, or
            if another thread, which this one waited for, found the account silent.
        """
        came_s = self._clock()
        with self._lock:
            if self._container is None:
                self._give_up_with_others(came_s)
                self._container = self._opened()
            return self._container

    def _give_up_with_others(self, came_s: float) -> None:
        """Raise what those that came first waited for: else each would wait as long in its turn."""
        if self.silence.was_found_after(came_s):
            raise self.exhausted([WAITED_IN_VAIN])
        if self._without_token_s > came_s:
            raise self.denied(None)

    def _opened(self) -> "ContainerProxy":
        from azure.core.exceptions import (  # noqa: PLC0415  # with the client
            AzureError,
            ClientAuthenticationError,
        )

        began_s, is_first = self._clock(), self._client is None
        try:
            self._client = self._client or self._connect()
            container = self._open(self._client)
            self._check_partition_key(container.read())
        except AzureError as error:
            if getattr(error, "status_code", None) is not None:
                self.silence.answered()
            elif isinstance(error, ClientAuthenticationError):
                self._without_token_s = self._clock()
            else:
                self.silence.unanswered(began_s)
            raise
        except UNREADABLE as error:
            if is_first:  # what it read of the account may be as odd; nobody else uses it yet
                self._forget_client()
            raise self.not_cosmos() from error
        self.silence.answered()
        return container

    def _forget_client(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = None

    def forget_container(self) -> None:
        """Look for the container again before the next write: it is gone."""
        with self._lock:
            self._container = None

    def close(self) -> None:
        """Let go of the connections; the next use opens them again."""
        with self._lock:
            self._forget_client()
            self._container = None

    def _connect(self) -> "CosmosClient":
        from azure.cosmos import CosmosClient  # noqa: PLC0415  # 0.15 s, first use only
        from azure.cosmos.documents import ConnectionPolicy  # noqa: PLC0415  # the same

        policy = ConnectionPolicy()
        # The sink tries again by itself. A 0 in the client's own options counts as not given.
        policy.RetryOptions = type(policy.RetryOptions)(max_retry_attempt_count=0)
        settings = self._settings
        address = settings.endpoint or account_endpoint(settings.connection_string or "")
        options: dict[str, Any] = {
            "connection_policy": policy,
            # Plain HTTP is an emulator: one region, and it may advertise https.
            "enable_endpoint_discovery": address.startswith("https://"),
            "connection_timeout": _TIMEOUT_S,
            "read_timeout": _TIMEOUT_S,
            "timeout": _OPENING_TIMEOUT_S,
            "retry_total": 0,
            "retry_connect": 0,
            "retry_read": 0,
            "no_response_on_write": True,
            "enable_compact_utf8_item_writes": True,
        }
        if settings.connection_string:
            return CosmosClient.from_connection_string(settings.connection_string, **options)
        from azure.identity import DefaultAzureCredential  # noqa: PLC0415  # first use only

        return CosmosClient(address, DefaultAzureCredential(), **options)

    def _open(self, client: "CosmosClient") -> "ContainerProxy":
        settings = self._settings
        if not settings.connection_string:
            database = client.get_database_client(settings.database)
            return database.get_container_client(settings.container)
        from azure.cosmos import PartitionKey  # noqa: PLC0415  # with the client

        database = client.create_database_if_not_exists(settings.database)
        return database.create_container_if_not_exists(
            settings.container,
            PartitionKey(PARTITION_KEY),
            indexing_policy=INDEXING_POLICY,
            default_ttl=DEFAULT_TTL_S,
        )

    def _check_partition_key(self, properties: Any) -> None:
        """Refuse a container that would refuse every document."""
        paths = properties["partitionKey"]["paths"]
        if paths != [PARTITION_KEY]:
            raise SinkUnavailableError(
                SINK_NAME,
                f"the container has another partition key than {PARTITION_KEY}",
                "set COSMOS_CONTAINER to one that has it",
            )

    def denied(self, status: int | None) -> SinkUnavailableError:
        """Say what to mend where the service denies every write."""
        found = "no token for this app's identity" if status is None else f"answered {status}"
        return SinkUnavailableError(SINK_NAME, found, self._remedy(status))

    def is_silent(self, faults: Sequence[str], spent: float, began_s: float) -> bool:
        """Tell whether no answer came in all the time that a request waits.

        Parameters
        ----------
        faults : sequence of str
            Of one round.
        spent : float
            Seconds without progress.
        began_s : float
            When the round began.
        """
        if any(one.startswith("answered") for one in faults):
            return False
        return spent >= _TIMEOUT_S or self.silence.was_found_after(began_s)

    def exhausted(self, faults: Sequence[str]) -> SinkUnavailableError:
        """Say what to mend where the service did not take anything for too long."""
        if _THROTTLED in faults:  # it is there, whatever the other requests met
            remedy = "the batch waits; give the container of COSMOS_CONTAINER more throughput"
            return SinkThrottledError(SINK_NAME, _THROTTLED, remedy)
        remedy = f"check that the account of {self._setting()} is reachable"
        return SinkUnavailableError(SINK_NAME, faults[0], remedy)

    def not_cosmos(self) -> SinkUnavailableError:
        """Say that what answers is something else, such as a gateway or another service."""
        remedy = f"check that {self._setting()} names one, and what stands in front of it"
        found = "does not answer as a Cosmos DB account does"
        return SinkUnavailableError(SINK_NAME, found, remedy)

    def too_slow(self, *, is_begun: bool) -> SinkUnavailableError:
        """Say what to mend where the service did not take all documents within one write."""
        remedy = "what is left is written later; give the container of COSMOS_CONTAINER more"
        found = "took only a part of a batch in the time for one write"
        error = SinkUnavailableError(SINK_NAME, found, f"{remedy} throughput")
        error.is_begun = is_begun
        return error

    def ending(self) -> SinkUnavailableError:
        """Say that no request can be sent while the process ends."""
        remedy = "the batch waits; nothing is to be done"
        return SinkUnavailableError(SINK_NAME, "takes no batch while the process ends", remedy)

    def _remedy(self, status: int | None) -> str:
        if status == 404:  # noqa: PLR2004  # not found
            if self._settings.connection_string:
                return "it was there and is gone; the next write makes it"
            return "make the database COSMOS_DATABASE and the container COSMOS_CONTAINER in it"
        if status in {401, 403, None}:
            if self._settings.connection_string:
                return "check the key in COSMOS_CONNECTION_STRING and the account's network rules"
            return (
                "give this app's identity the role Cosmos DB Built-in Data Contributor on the"
                " container of COSMOS_CONTAINER, and check the network rules of the account of"
                " COSMOS_ENDPOINT"
            )
        return f"check {self._setting()}, COSMOS_DATABASE and COSMOS_CONTAINER"

    def _setting(self) -> str:
        return "COSMOS_CONNECTION_STRING" if self._settings.connection_string else "COSMOS_ENDPOINT"
