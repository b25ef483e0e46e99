"""Reads from the app's own stores what became of one run."""

import http.client
import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

from replay.smoke.known_events import KnownEvents
from scoring.errors import ScoringError, SinkUnavailableError
from scoring.settings import CosmosSettings, InfluxSettings
from scoring.sinks.cosmos_account import CosmosAccount

_TIMEOUT_S = 30.0


class NotReadError(ScoringError):
    """A store cannot be read from here."""


@dataclass(frozen=True, slots=True)
class StoredScore:
    """One stored result of this run."""

    sensor_id: str
    model: str
    model_version: str
    score: float
    is_anomaly: bool | None


class StoreReader(Protocol):
    """A store that can be read from here."""

    @property
    def name(self) -> str:
        """As health names its sink."""

    @property
    def only_anomalies(self) -> bool:
        """Whether the app stores nothing else there."""

    def read(self, events: KnownEvents) -> list[StoredScore]:
        """Return what is stored of a run; raises `NotReadError`."""


class SqliteReader:
    """The file `scores.sqlite` of an app on this machine."""

    name = "sqlite"
    only_anomalies = False

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, events: KnownEvents) -> list[StoredScore]:
        """Return what is stored; nothing where there is no file yet."""
        if not self._path.exists():
            return []
        query = (
            "SELECT sensor_id, model, model_version, score, is_anomaly FROM scores"
            " WHERE sensor_id GLOB ?"
        )
        address = f"{self._path.resolve().as_uri()}?mode=ro"
        try:
            with closing(sqlite3.connect(address, uri=True, timeout=_TIMEOUT_S)) as connection:
                rows = connection.execute(query, [f"{events.prefix}*"]).fetchall()
        except sqlite3.Error as error:
            raise NotReadError(f"{self._path}: {error}") from error
        return [
            StoredScore(sensor_id, model, version, score, _flag(flag))
            for sensor_id, model, version, score, flag in rows
        ]


class InfluxReader:
    """An InfluxDB bucket, by InfluxQL: all versions from 1.8 know it.

    Parameters
    ----------
    settings : InfluxSettings
    token : str
        One that may read; the app's own may only write.
    """

    name = "influxdb"
    only_anomalies = False

    def __init__(self, settings: InfluxSettings, token: str) -> None:
        self._settings = settings
        self._token = token

    def read(self, events: KnownEvents) -> list[StoredScore]:
        """Return what is stored; raises `NotReadError` where this token may not read."""
        query = (  # the prefix is this program's own: letters, digits and hyphens
            "SELECT score, is_anomaly, model_version FROM anomaly_score"  # noqa: S608  # see above
            f" WHERE sensor_id =~ /^{re.escape(events.prefix)}/ AND time >= {events.start_ns}"
            " GROUP BY sensor_id, model"
        )
        (result,) = self._ask(query).get("results") or [{}]
        if "error" in result:
            raise NotReadError(f"InfluxDB: {result['error']}")
        return [one for series in result.get("series", ()) for one in _points(series)]

    def _ask(self, query: str) -> Mapping[str, Any]:
        parts = urlsplit(self._settings.url)
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        connection = kind(str(parts.hostname), parts.port, timeout=_TIMEOUT_S)
        form = urlencode({"db": self._settings.bucket, "epoch": "ns", "q": query})
        headers = {
            "Authorization": f"Token {self._token}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        try:
            connection.request("POST", f"{parts.path.rstrip('/')}/query", form, headers)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != http.client.OK:
                raise NotReadError(f"InfluxDB answered {answer.status} to a query")
            found: Mapping[str, Any] = json.loads(body)
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise NotReadError(f"InfluxDB did not answer ({type(error).__name__})") from error
        finally:
            connection.close()
        return found


def _points(series: Mapping[str, Any]) -> Iterator[StoredScore]:
    tags = series["tags"]
    for values in series["values"]:
        one = dict(zip(series["columns"], values, strict=True))
        yield StoredScore(
            tags["sensor_id"], tags["model"], one["model_version"], one["score"], one["is_anomaly"]
        )


class CosmosReader:
    """A Cosmos DB container, by identity or by key as the app's own settings say."""

    name = "cosmos"

    def __init__(self, settings: CosmosSettings) -> None:
        self.only_anomalies = settings.write == "anomalies"
        self._account = CosmosAccount(settings)

    def read(self, events: KnownEvents) -> list[StoredScore]:
        """Return what is stored; raises `NotReadError` where this identity may not read."""
        from azure.core.exceptions import AzureError  # noqa: PLC0415  # with the client

        query = (
            "SELECT c.sensor_id, c.model, c.model_version, c.score, c.is_anomaly FROM c"
            " WHERE STARTSWITH(c.sensor_id, @prefix)"
        )
        try:
            found = self._account.container().query_items(
                query,
                parameters=[{"name": "@prefix", "value": events.prefix}],
                enable_cross_partition_query=True,
            )
            return [StoredScore(**one) for one in found]
        except (AzureError, SinkUnavailableError) as error:
            raise NotReadError(f"Cosmos DB: {type(error).__name__}") from error
        finally:
            self._account.close()


def _flag(value: int | None) -> bool | None:
    return None if value is None else bool(value)
