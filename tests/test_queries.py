"""Tests of the Kusto queries of alerts and workbook: right to the language, tied to Bicep."""

import re

import pytest

from scoring.telemetry import METRICS
from tests.alert_rules import ALERTS, QUERIES, RULES, WORKBOOK, Rule
from tests.kusto_language import CheckedQuery, check_queries
from tests.workspace import TABLES

TILES = [name for name in QUERIES if name.startswith("tile-")]


@pytest.fixture(scope="module")
def checked() -> dict[str, CheckedQuery]:
    """Check every query once."""
    return check_queries(QUERIES, TABLES)


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_each_query_begins_with_what_it_tells(query: str) -> None:
    """The first line is a comment: a sentence."""
    first = query.splitlines()[0]
    assert re.fullmatch(r"// [A-Z0-9].+[.;,]?.*\w.*", first)


def test_every_query_is_right_to_the_language_service(checked: dict[str, CheckedQuery]) -> None:
    """Its syntax, tables, columns and functions are known; there is not even a warning."""
    assert checked.keys() == QUERIES.keys()
    assert {name: one.faults for name, one in checked.items() if one.faults} == {}


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("AppMetrics | when Sum > 1", "Query operator expected"),
        ("AppMetrics | where Title == 'x'", "'Title' does not refer to any known column"),
        ("AppMetric | count", "'AppMetric' does not refer to any known table"),
        ("AppMetrics | summarize smu(Sum)", "'smu' does not refer to any known function"),
        ("AppMetrics | where Sum > ", "Missing expression"),
    ],
    ids=["operator", "column", "table", "function", "end"],
)
def test_a_broken_query_is_found(query: str, fault: str) -> None:
    """The check above can fail."""
    (error, *_) = check_queries({"broken": query}, TABLES)["broken"].errors
    assert fault in error


def test_alerts_bear_a_workspace_without_tables() -> None:
    """A table is there once something was sent, and a rule that fails a week is switched off."""
    alerts = {name: text for name, text in QUERIES.items() if name.startswith("alert-")}
    found = check_queries(alerts, {})
    assert {name: one.errors for name, one in found.items() if one.errors} == {}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_queries_name_only_metrics_that_are_exported(query: str) -> None:
    """A metric that nobody exports would be silence."""
    assert set(re.findall(r'"(scoring_\w+)"', query)) <= METRICS.keys()


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_queries_read_only_attributes_that_their_metrics_have(query: str) -> None:
    """An attribute that is not there would be one nameless group."""
    named = re.findall(r'"(scoring_\w+)"', query)
    known = {attribute for name in named for attribute in METRICS[name].attributes}
    assert set(re.findall(r"Properties\.(\w+)", query)) <= known


def test_every_metric_is_shown() -> None:
    """A figure that nobody looks at need not be exported."""
    shown = {name for tile in TILES for name in re.findall(r'"(scoring_\w+)"', QUERIES[tile])}
    assert shown == METRICS.keys()


@pytest.mark.parametrize(
    ("module", "prefix"), [(ALERTS, "alert-"), (WORKBOOK, "tile-")], ids=["alerts", "workbook"]
)
def test_bicep_uses_every_query_once_and_no_other(module: str, prefix: str) -> None:
    """What is not loaded is dead; what is not there does not deploy."""
    loaded = re.findall(r"loadTextContent\('\.\./queries/(.+)\.kql'\)", module)
    assert sorted(loaded) == [name for name in QUERIES if name.startswith(prefix)]


def test_a_rule_or_tile_has_the_name_of_its_query() -> None:
    """An alert leads to its file."""
    pattern = r"name: '([\w-]+)'\n(?:.*\n){1,3}?    query: .*/(.+)\.kql'"
    pairs = re.findall(pattern, ALERTS + WORKBOOK)
    assert len(pairs) == len(QUERIES)
    assert all(query in {f"alert-{name}", f"tile-{name}"} for name, query in pairs)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_names_columns_that_its_query_gives(
    rule: Rule, checked: dict[str, CheckedQuery]
) -> None:
    """The measure is a number; the dimension is text; there is no further column."""
    columns = dict(checked[f"alert-{rule.name}"].columns)
    assert columns.pop(rule.measure) in {"real", "long", "int"}
    assert columns == ({rule.dimension: "string"} if rule.dimension else {})


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_an_alert_leaves_its_window_to_the_rule(rule: Rule) -> None:
    """With ago() in the text the service reads two days; these functions it does not take."""
    assert not re.search(r"\b(ago|bag_unpack|pivot|narrow|AggregatedValue)\b", rule.query)
    assert re.fullmatch(r"PT(15M|30M|1H)", rule.window)
