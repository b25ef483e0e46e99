"""Checks Kusto queries with Microsoft's own language service, from npm."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.node_package import install_node_package, node

VERSION = "12.4.1"


@dataclass(frozen=True, slots=True)
class CheckedQuery:
    """What the language service says of a query: its faults, and the columns that it gives."""

    faults: tuple[str, ...]
    columns: Mapping[str, str]

    @property
    def errors(self) -> list[str]:
        """Those that stop it; the others are warnings."""
        return [fault for fault in self.faults if " Error " in fault]


def check_queries(
    queries: Mapping[str, str], tables: Mapping[str, Mapping[str, str]]
) -> dict[str, CheckedQuery]:
    """Check queries by name against tables, each a mapping of columns to types."""
    prefix = Path(sys.prefix) / "kusto-language"
    package = install_node_package("@kusto/language-service-next", VERSION, prefix)
    schemas = {
        name: "(" + ", ".join(f"{column}: {kind}" for column, kind in columns.items()) + ")"
        for name, columns in tables.items()
    }
    answer = subprocess.run(
        [str(node()), str(Path(__file__).with_suffix(".js")), str(package)],
        input=json.dumps({"tables": schemas, "queries": dict(queries)}),
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(answer.stdout)
    return {name: CheckedQuery(tuple(one["faults"]), one["columns"]) for name, one in found.items()}
