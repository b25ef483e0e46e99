"""Reads where the Cosmos DB sink writes."""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

_WRITE_CHOICES: dict[str, Literal["anomalies", "all"]] = {"anomalies": "anomalies", "all": "all"}
# Cosmos DB's rule for names of databases and containers.
_NAME = re.compile(r"[^/\\?#\x00-\x1f\x7f-\x9f]{1,255}(?<! )")


@dataclass(frozen=True, slots=True)
class CosmosSettings:
    """Where the Cosmos DB sink writes, and what.

    Parameters
    ----------
    endpoint : str or None
        The account, reached by identity; databases and containers are made by the deployment.
    connection_string : str or None
        The account, reached by key; what is missing is made on first use.
    database, container : str
    write : {"anomalies", "all"}
        Which scored readings become documents.
    """

    endpoint: str | None
    connection_string: str | None = field(repr=False)
    database: str
    container: str
    write: Literal["anomalies", "all"]


def read_cosmos(
    text: Callable[[str], str | None], problem: Callable[[str], None]
) -> CosmosSettings | None:
    """Read and check the settings; None where the sink is off.

    Parameters
    ----------
    text : callable
        Returns the text or the default of a setting.
    problem : callable
        Takes each problem: one sentence, and never a value.
    """
    usual = "anomalies" if text("INFLUXDB_URL") else "all"
    write = _WRITE_CHOICES.get((text("COSMOS_WRITE") or usual).lower())
    if write is None:
        problem("COSMOS_WRITE: set anomalies or all")
    found = CosmosSettings(
        text("COSMOS_ENDPOINT"),
        text("COSMOS_CONNECTION_STRING"),
        text("COSMOS_DATABASE") or "",
        text("COSMOS_CONTAINER") or "",
        write or "all",
    )
    for sentence in _problems(found):
        problem(sentence)
    return found if found.endpoint or found.connection_string else None


def _problems(settings: CosmosSettings) -> Iterator[str]:
    endpoint, connection_string = settings.endpoint, settings.connection_string
    if endpoint and connection_string:
        yield "COSMOS_ENDPOINT: set this or COSMOS_CONNECTION_STRING, not both"
    if endpoint and not endpoint.startswith("https://"):
        yield "COSMOS_ENDPOINT: set an address that begins with https://"
    if connection_string and not _is_connection_string(connection_string):
        yield (
            "COSMOS_CONNECTION_STRING: copy the whole text, AccountEndpoint=...;AccountKey=...;"
            " an identity needs COSMOS_ENDPOINT instead"
        )
    for name, value in (
        ("COSMOS_DATABASE", settings.database),
        ("COSMOS_CONTAINER", settings.container),
    ):
        if not _NAME.fullmatch(value):
            yield rf"{name}: set a name of up to 255 characters without / \ ? #"


def account_endpoint(connection_string: str) -> str:
    """Return the address that a connection string names; empty if there is none."""
    return _parts(connection_string).get("AccountEndpoint", "")


def _is_connection_string(text: str) -> bool:
    """Tell whether the client can read it: otherwise it fails there as a fault of ours."""
    parts = _parts(text)
    try:
        has_key = bool(base64.b64decode(parts.get("AccountKey", ""), validate=True))
    except (binascii.Error, ValueError):
        return False
    return has_key and account_endpoint(text).startswith(("http://", "https://"))


def _parts(connection_string: str) -> dict[str, str]:
    pairs = [part.split("=", 1) for part in connection_string.rstrip(";").split(";")]
    return {pair[0]: pair[1] for pair in pairs} if all(len(p) == 2 for p in pairs) else {}  # noqa: PLR2004  # name and value
