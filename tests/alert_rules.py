"""The alert rules as Bicep has them, and what they say of rows."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.workspace import Row, run_query

BICEP = Path(__file__).parents[1] / "bicep"
QUERIES = {path.stem: path.read_text("utf-8") for path in sorted(BICEP.glob("queries/*.kql"))}
ALERTS = (BICEP / "modules" / "alerts.bicep").read_text("utf-8")
WORKBOOK = (BICEP / "modules" / "workbook.bicep").read_text("utf-8")


@dataclass(frozen=True, slots=True)
class Rule:
    """An alert rule as Bicep has it, with the defaults of its parameters, and its variables."""

    name: str
    measure: str
    threshold: float
    window: str
    dimension: str

    @property
    def query(self) -> str:
        """Its text."""
        return QUERIES[f"alert-{self.name}"]

    def fired(self, rows: Sequence[Row] | None) -> list[str]:
        """Return the values of its dimension that fire, as the service decides it."""
        found = run_query(self.query, rows)
        over = [one for one in found if (one[self.measure] or 0) > self.threshold]
        return [one[self.dimension] if self.dimension else "" for one in over]


def _rules() -> dict[str, Rule]:
    defaults = dict(
        re.findall(r"^(?:param (?=\w+ \w+ =)|var )(\w+)(?: \w+)? = (.+)$", ALERTS, re.MULTILINE)
    )
    listed = ALERTS.split("var logRules = [", 1)[1].split("\n]\n", 1)[0]
    blocks = re.findall(r"^  \{\n(.*?)^  \}$", listed, re.MULTILINE | re.DOTALL)
    rules = [dict(re.findall(r"^    (\w+): (.+)$", block, re.MULTILINE)) for block in blocks]
    plain = [{k: defaults.get(v, v).strip("'") for k, v in rule.items()} for rule in rules]
    made = [
        Rule(one["name"], one["measure"], float(one["threshold"]), one["window"], one["dimension"])
        for one in plain
    ]
    return {rule.name: rule for rule in made}


RULES = _rules()
