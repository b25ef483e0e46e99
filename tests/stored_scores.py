"""Reads the scores of readings back from each store."""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from tests.cosmos_server import CosmosServer
from tests.influxd_server import RealInflux

_PAGE = 5_000
_QUERY_TIMEOUT_S = 60.0  # 200,000 points take seconds
_LINE = re.compile(
    r"anomaly_score,sensor_id=(?P<sensor_id>[^, ]+),model=default"
    r" score=(?P<score>[^, ]+),anomaly_score=(?P<anomaly_score>[^, ]+),is_anomaly=(?P<is>\w+),.*"
    r" (?P<time>\d+)"
)


class StoredScore(NamedTuple):
    """One reading as a store holds it."""

    sensor_id: str
    time_ns: int
    score: float
    anomaly_score: float
    is_anomaly: bool


def influxdb_scores(server: RealInflux) -> list[StoredScore]:
    """Return every point of a real influxd."""
    assert server.query("SHOW MEASUREMENTS") == [{"name": "anomaly_score"}]
    points = server.query("SELECT * FROM anomaly_score GROUP BY *", _QUERY_TIMEOUT_S)
    return [_score(one, one["time"]) for one in points]


def line_scores(lines: Iterable[str]) -> list[StoredScore]:
    """Return every point of lines in InfluxDB's protocol."""
    return [_line_score(line) for line in lines]


def cosmos_scores(server: CosmosServer, database: str, container: str) -> list[StoredScore]:
    """Return every document of a container."""
    with server.client() as client:
        found = client.get_database_client(database).get_container_client(container)
        documents = found.read_all_items(max_item_count=_PAGE)
        return [_score(one, int(one["event_time_ns"])) for one in documents]


def _score(one: dict[str, Any], time_ns: int) -> StoredScore:
    return StoredScore(
        one["sensor_id"], time_ns, one["score"], one["anomaly_score"], one["is_anomaly"]
    )


def _line_score(line: str) -> StoredScore:
    found = _LINE.fullmatch(line)
    assert found is not None, line
    return StoredScore(
        found["sensor_id"],
        int(found["time"]),
        float(found["score"]),
        float(found["anomaly_score"]),
        found["is"] == "true",
    )
