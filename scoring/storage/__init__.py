"""Reads and writes named bytes by ETag, the only place that knows Blob Storage or a folder."""

from typing import TYPE_CHECKING

from scoring.storage.blob import BlobStorage
from scoring.storage.contract import (
    ConditionNotMetError,
    Container,
    Entry,
    NotRead,
    Storage,
    Stored,
    UnsafePathError,
)
from scoring.storage.folder import FolderStorage

if TYPE_CHECKING:
    from scoring.settings import Settings

__all__ = [
    "BlobStorage",
    "ConditionNotMetError",
    "Container",
    "Entry",
    "FolderStorage",
    "NotRead",
    "Storage",
    "Stored",
    "UnsafePathError",
    "open_storage",
]


def open_storage(settings: "Settings") -> Storage:
    """Choose Blob Storage where it is set, else folders in `DATA_DIR`."""
    if settings.storage_connection_string:
        return BlobStorage(connection_string=settings.storage_connection_string)
    if settings.storage_account_name:
        return BlobStorage(account_name=settings.storage_account_name)
    return FolderStorage(settings.data_dir)
