"""Tests of bicep_checks.schemas: what the pinned package knows, asked once."""

import json
from pathlib import Path

import pytest

from bicep_checks import schemas as schemas_module
from bicep_checks.schema_server import SchemaServerError, read_answer
from bicep_checks.schemas import SchemaCache
from tests.bicep_project import SCHEMAS

CONTAINERS = "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers"
ALERTS = "Microsoft.Insights/metricAlerts"


def line(answer: object) -> str:
    """Write an answer as the package does."""
    return json.dumps({"result": {"content": [{"type": "text", "text": json.dumps(answer)}]}})


def test_a_schema_says_what_a_type_takes() -> None:
    """Version, scopes, and properties down to the nested ones."""
    schema = SCHEMAS.read([CONTAINERS])[CONTAINERS]
    assert schema is not None
    assert (schema.version, schema.scopes) == ("2025-04-15", {"resourceGroup"})
    resource = schema.types["SqlContainerResourceOrSqlContainerGetPropertiesResource"]
    assert resource.properties["id"].is_required
    assert resource.properties["defaultTtl"].type == "int"


def test_a_type_without_a_schema_is_none() -> None:
    """Whether the package does not know it, or not its properties."""
    assert SCHEMAS.read([ALERTS, "Microsoft.No/such"]) == {ALERTS: None, "Microsoft.No/such": None}


def test_the_package_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes seconds; what it said is kept by its version."""
    first = SchemaCache(tmp_path).read([CONTAINERS])
    asked: list[str] = []
    monkeypatch.setattr(schemas_module, "answers", lambda kinds: asked.extend(kinds) or [])
    assert SchemaCache(tmp_path).read([CONTAINERS]) == first
    assert asked == []
    assert [path.name for path in tmp_path.iterdir()] == ["msmcp-azure-3.0.0"]


@pytest.mark.parametrize(
    "said",
    [
        "",
        "no JSON",
        "{}",
        line("text"),
        line({"status": 200, "results": {}}),
        line({"status": 500, "message": "out of memory"}),
    ],
)
def test_an_answer_that_is_no_schema_is_an_error(said: str) -> None:
    """Kept as "no schema", it would switch the checks of a type off for ever."""
    with pytest.raises(SchemaServerError, match="gave no schema; reinstall"):
        read_answer(CONTAINERS, said)
