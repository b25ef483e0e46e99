"""Named bytes in Azure Blob Storage."""

import contextlib
import threading
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from scoring.errors import StorageUnavailableError
from scoring.storage.contract import (
    ConditionNotMetError,
    Entry,
    NotRead,
    Stored,
    checked_path,
)

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient, BlobServiceClient, ContainerClient

# A batch may wait for these calls, and a retry policy stands behind it: fail within a minute.
# The library's own pauses between attempts would be 15 s and more.
_TIMEOUTS: dict[str, Any] = {
    "connection_timeout": 5,
    "read_timeout": 15,
    "retry_total": 2,
    "initial_backoff": 1,
    "increment_base": 1,
    "random_jitter_range": 1,
}
# An error's text goes on with request ids, line by line.
_LONGEST_TEXT = 200


class BlobStorage:
    """Containers of one storage account.

    Parameters
    ----------
    account_name : str, optional
        Reached by identity; containers are made by the deployment, never here.
    connection_string : str, optional
        Reached by key; a missing container is made at the first write.
    """

    def __init__(
        self, *, account_name: str | None = None, connection_string: str | None = None
    ) -> None:
        self._account_name = account_name
        self._connection_string = connection_string
        self._lock = threading.Lock()
        self._client: BlobServiceClient | None = None

    def service(self) -> "BlobServiceClient":
        """Return the one client, made on first use."""
        with self._lock:
            self._client = self._client or self._connect()
            return self._client

    def _connect(self) -> "BlobServiceClient":
        from azure.storage.blob import BlobServiceClient  # noqa: PLC0415  # 0.2 s, first use only

        if self._connection_string:
            return BlobServiceClient.from_connection_string(self._connection_string, **_TIMEOUTS)
        from azure.identity import DefaultAzureCredential  # noqa: PLC0415  # the same

        return BlobServiceClient(
            f"https://{self._account_name}.blob.core.windows.net",
            credential=DefaultAzureCredential(),
            **_TIMEOUTS,
        )

    def container(self, name: str) -> "BlobContainer":
        """Return the container called `name`."""
        return BlobContainer(name, self, may_create=self._connection_string is not None)


class BlobContainer:
    """One blob container; see `Container`."""

    def __init__(self, name: str, storage: BlobStorage, *, may_create: bool) -> None:
        self.name = name
        self._storage = storage
        self._may_create = may_create

    def _client(self) -> "ContainerClient":
        return self._storage.service().get_container_client(self.name)

    def _blob(self, path: str) -> "BlobClient":
        return self._client().get_blob_client(checked_path(self.name, path))

    @contextlib.contextmanager
    def _errors(self, path: str) -> Iterator[None]:
        from azure.core.exceptions import AzureError  # noqa: PLC0415  # with the client

        try:
            yield
        except (AzureError, ValueError) as error:  # ValueError: the connection string is malformed
            code = getattr(error, "error_code", None) or type(error).__name__
            text = str(error).split("\n", 1)[0][:_LONGEST_TEXT]
            found = f"{getattr(code, 'value', code)}: {text}"
            raise StorageUnavailableError(self.name, path, found) from error

    def get(self, path: str, *, known_etag: str | None = None) -> Stored | NotRead:
        """Read a blob; see `Container.get`."""
        from azure.core import MatchConditions  # noqa: PLC0415  # with the client
        from azure.core.exceptions import HttpResponseError, ResourceNotFoundError  # noqa: PLC0415

        unless: dict[str, Any] = (
            {"etag": known_etag, "match_condition": MatchConditions.IfModified}
            if known_etag
            else {}
        )
        with self._errors(path):
            try:
                stream = self._blob(path).download_blob(**unless)
                return Stored(stream.readall(), str(stream.properties.etag))
            except ResourceNotFoundError:
                return NotRead.MISSING
            except HttpResponseError as error:
                if error.status_code == 304:  # noqa: PLR2004  # Not Modified
                    return NotRead.UNCHANGED
                raise

    def put(
        self, path: str, data: bytes, *, only_if_absent: bool = False, if_etag: str | None = None
    ) -> str:
        """Write a blob; see `Container.put`."""
        from azure.core.exceptions import (  # noqa: PLC0415  # with the client
            ResourceExistsError,
            ResourceModifiedError,
            ResourceNotFoundError,
        )

        with self._errors(path):
            upload = partial(
                self._blob(path).upload_blob,
                data,
                overwrite=not only_if_absent,
                **_unchanged(if_etag),
            )
            try:
                try:
                    return str(upload()["etag"])
                except ResourceNotFoundError:
                    self._create()
                    return str(upload()["etag"])
            except (ResourceExistsError, ResourceModifiedError) as error:
                raise ConditionNotMetError(self.name, path) from error

    def _create(self) -> None:
        from azure.core.exceptions import ResourceExistsError  # noqa: PLC0415  # with the client

        if not self._may_create:
            raise StorageUnavailableError(self.name, "", "the container does not exist")
        with contextlib.suppress(ResourceExistsError):
            self._client().create_container()

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """List blobs; see `Container.list`."""
        from azure.core.exceptions import ResourceNotFoundError  # noqa: PLC0415  # with the client

        with self._errors(prefix), contextlib.suppress(ResourceNotFoundError):
            for blob in self._client().list_blobs(name_starts_with=prefix):
                yield Entry(str(blob.name), int(blob.size), blob.last_modified)

    def delete(self, path: str, *, if_etag: str | None = None) -> None:
        """Delete a blob; see `Container.delete`."""
        from azure.core.exceptions import (  # noqa: PLC0415  # with the client
            ResourceModifiedError,
            ResourceNotFoundError,
        )

        with self._errors(path), contextlib.suppress(ResourceNotFoundError):
            try:
                self._blob(path).delete_blob(**_unchanged(if_etag))
            except ResourceModifiedError as error:
                if self._blob(path).exists():  # what is gone meets no condition either
                    raise ConditionNotMetError(self.name, path) from error


def _unchanged(etag: str | None) -> dict[str, Any]:
    """Make the condition that a blob is still the one with that ETag; none without one."""
    from azure.core import MatchConditions  # noqa: PLC0415  # with the client

    if etag is None:
        return {}
    return {"etag": etag, "match_condition": MatchConditions.IfNotModified}
