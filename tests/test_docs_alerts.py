"""docs/alerts.md says what each rule means."""

import re

import pytest

from tests.alert_rules import ALERTS, BICEP, RULES
from tests.documents import ROOT, names, table

PAGE = (ROOT / "docs" / "alerts.md").read_text("utf-8")
PLATFORM = (BICEP / "modules" / "platform-alerts.bicep").read_text("utf-8")
ROWS = {names([cells])[0]: cells for cells in table(PAGE, "Rule")}
_RULE = re.compile(r"^    name: '([\w-]+)'\n(?:.*\n)*?    severity: (\d)$", re.MULTILINE)


def test_every_rule_has_its_row_with_its_severity_and_in_the_order_of_bicep() -> None:
    """Whoever is woken finds what to do; a rule that is gone is gone here."""
    made = _RULE.findall(ALERTS) + _RULE.findall(PLATFORM)
    assert len(made) == len(RULES) + 3
    assert [(name, cells[1]) for name, cells in ROWS.items()] == made


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if rule.threshold > 0])
def test_the_row_tells_the_threshold(name: str) -> None:
    """As a number, or by the parameter that sets it."""
    number = RULES[name].threshold
    # Bicep has whole numbers only, so drift is in hundredths; the spill's follows from a setting.
    told = {"drift": f"{number / 100:g}", "spill-size": "three quarters of `SPILL_MAX_MB`"}
    words = ROWS[name][2]
    assert told.get(name, f"more than {number:g} ") in words or re.search(
        rf"`maximum\w+`|longer than {number:g} ", words
    )


def test_every_row_says_what_to_do() -> None:
    """More than a word."""
    assert all(len(cells) == 4 and len(cells[3]) > 20 for cells in ROWS.values())
