"""A Log Analytics workspace in memory: columns, rows, and an engine for queries."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb_kql

# Of Azure Monitor's reference of these tables; columns that no query may need are left out.
TABLES = {
    "AppMetrics": {
        "TimeGenerated": "datetime",
        "Name": "string",
        "Sum": "real",
        "Min": "real",
        "Max": "real",
        "ItemCount": "int",
        "Properties": "dynamic",
        "AppRoleInstance": "string",
        "AppRoleName": "string",
    },
    "AppRequests": {
        "TimeGenerated": "datetime",
        "Name": "string",
        "Success": "bool",
        "DurationMs": "real",
        "ItemCount": "int",
        "AppRoleInstance": "string",
    },
    "AppExceptions": {
        "TimeGenerated": "datetime",
        "OperationName": "string",
        "ExceptionType": "string",
        "OuterMessage": "string",
        "InnermostMessage": "string",
        "ItemCount": "int",
        "AppRoleInstance": "string",
    },
    "AppTraces": {
        "TimeGenerated": "datetime",
        "Message": "string",
        "SeverityLevel": "int",
        "OperationName": "string",
        "ItemCount": "int",
    },
    "AzureMetrics": {
        "TimeGenerated": "datetime",
        "ResourceProvider": "string",
        "MetricName": "string",
        "Total": "real",
    },
}

_SQL_TYPES = {
    "datetime": "TIMESTAMP",
    "string": "VARCHAR",
    "real": "DOUBLE",
    "int": "INTEGER",
    "bool": "BOOLEAN",
    "dynamic": "JSON",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table; a column that is not given is empty."""

    table: str
    minutes_ago: float
    values: dict[str, Any] = field(default_factory=dict)


def metric(
    name: str,
    value: float,
    *,
    minutes_ago: float = 5,
    instance: str = "a",
    count: int = 1,
    **attributes: str,
) -> Row:
    """Make the row of one exported point; `count` is that of a histogram."""
    values = {"Name": name, "Sum": value, "ItemCount": count, "AppRoleInstance": instance}
    return Row("AppMetrics", minutes_ago, {**values, "Properties": json.dumps(attributes)})


def sent_events(count: float, *, minutes_ago: float) -> Row:
    """Make the row in which Event Hubs says how many events came in a minute."""
    values = {"ResourceProvider": "MICROSOFT.EVENTHUB", "MetricName": "IncomingMessages"}
    return Row("AzureMetrics", minutes_ago, {**values, "Total": count})


def run_query(query: str, rows: Iterable[Row] | None) -> list[dict[str, Any]]:
    """Run a Kusto query on rows; with None, in a workspace that has no table yet."""
    with duckdb_kql.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        if rows is not None:
            _fill(connection, rows)
        answer = duckdb_kql.kql(connection, query)
        return [dict(zip(answer.columns, one, strict=True)) for one in answer.fetchall()]


def _fill(connection: Any, rows: Iterable[Row]) -> None:
    for table, columns in TABLES.items():
        kinds = ", ".join(f'"{name}" {_SQL_TYPES[kind]}' for name, kind in columns.items())
        connection.execute(f"CREATE TABLE {table} ({kinds})")
    now = datetime.now(UTC).replace(tzinfo=None)
    for row in rows:
        values = {"TimeGenerated": now - timedelta(minutes=row.minutes_ago), **row.values}
        names = ", ".join(f'"{name}"' for name in values)
        places = ", ".join("?" for _ in values)
        connection.execute(
            f"INSERT INTO {row.table} ({names}) VALUES ({places})",  # noqa: S608  of this file
            list(values.values()),
        )
