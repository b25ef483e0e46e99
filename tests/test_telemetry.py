"""Tests of scoring.telemetry: docs/telemetry.md and the table of metrics are the same list."""

import ast
import re
import tomllib

from scoring.telemetry import METRICS, SPANS
from scoring.telemetry_values import LEAST_FOR_DRIFT
from scoring.version import VERSION
from tests.documents import ROOT, names, section, table

TEXT = (ROOT / "docs" / "telemetry.md").read_text("utf-8")


def test_every_metric_stands_in_the_table() -> None:
    """With kind, unit, attributes and meaning."""
    expected = [
        [
            f"`{one.name}`",
            one.kind,
            f"`{one.unit}`",
            ", ".join(f"`{name}`" for name in one.attributes),
            one.meaning,
        ]
        for one in METRICS.values()
    ]
    assert table(TEXT, "Metric") == expected


def test_every_span_stands_in_the_table() -> None:
    """They are functions of the app, and all of them but health."""
    assert names(table(TEXT, "Span")) == list(SPANS)
    tree = ast.parse((ROOT / "function_app.py").read_text())
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert {name for name in functions if not name.startswith("_")} == {*SPANS, "health"}


def test_names_follow_one_rule() -> None:
    """Counters end in `_total`, and nothing else does; units stand in the name."""
    for metric in METRICS.values():
        assert re.fullmatch("scoring_[a-z_]+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert metric.name.endswith("_seconds") == (metric.unit == "s")


def test_no_name_of_a_metric_stands_elsewhere_by_mistake() -> None:
    """What the code calls a metric is one."""
    for path in (ROOT / "scoring").glob("*.py"):
        found = re.findall(r'"(scoring_[a-z_]+)"', path.read_text("utf-8"))
        assert set(found) <= set(METRICS), path.name


def test_figures_of_the_page_are_those_of_the_code() -> None:
    """A reader sets alerts by them."""
    assert f"once {LEAST_FOR_DRIFT:,} readings are" in " ".join(section("Metrics", TEXT).split())


def test_the_version_is_that_of_the_project() -> None:
    """Telemetry names it, and `pyproject.toml` is not deployed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == VERSION
