"""Tests of alert rules and workbook tiles: their queries run on rows of a workspace."""

import re
from typing import Any

import pytest

from tests.alert_rules import ALERTS, QUERIES, RULES, Rule
from tests.workspace import Row, metric, run_query, sent_events

TILES = [name for name in QUERIES if name.startswith("tile-")]

HEALTH = [
    *(sent_events(2_000, minutes_ago=minute) for minute in range(30)),
    *(metric("scoring_received_total", 2_000, minutes_ago=minute) for minute in range(30)),
    *(metric("scoring_scored_total", 1_980, minutes_ago=n, model="fan") for n in range(30)),
    *(metric("scoring_anomalies_total", 20, minutes_ago=n, model="fan") for n in range(30)),
    metric("scoring_rejected_total", 20, reason="missing_feature"),
    metric("scoring_batches_total", 9, outcome="done"),
    metric("scoring_batches_total", 1, outcome="held"),
    metric("scoring_held_total", 1_000),
    metric("scoring_collided_total", 3),
    metric("scoring_unaccounted_total", 0),
    metric("scoring_written_total", 1_900, sink="influxdb"),
    metric("scoring_spilled_total", 80, sink="influxdb"),
    metric("scoring_drained_total", 80, sink="influxdb"),
    metric("scoring_refused_total", 0, sink="influxdb"),
    metric("scoring_sink_failures_total", 1, sink="influxdb"),
    metric("scoring_spill_bytes", 700_000_000, sink="influxdb", minutes_ago=9),
    metric("scoring_spill_bytes", 40_000, sink="influxdb"),
    metric("scoring_spill_batches", 1, sink="influxdb"),
    metric("scoring_spill_age_seconds", 1_200, sink="influxdb", minutes_ago=9),
    metric("scoring_spill_age_seconds", 20, sink="influxdb"),
    *(metric("scoring_lag_seconds", 2, minutes_ago=n, quantile="0.5") for n in range(15)),
    *(metric("scoring_lag_seconds", 9, minutes_ago=n, quantile="0.95") for n in range(15)),
    *(metric("scoring_lag_seconds", 900, minutes_ago=n, quantile="0.95") for n in range(5)),
    *(metric("scoring_lag_seconds", 900, minutes_ago=n, quantile="0.99") for n in range(15)),
    metric("scoring_model_refused", 1, model="fan", minutes_ago=9),
    metric("scoring_model_refused", 0, model="fan"),
    metric("scoring_model_stale", 1, model="fan", minutes_ago=9),
    metric("scoring_model_stale", 0, model="fan"),
    *(metric("scoring_model_stale", 1, model="fan", instance="new", minutes_ago=n) for n in (3, 4)),
    metric("scoring_model_age_seconds", 86_400, model="fan", model_version="v2"),
    metric("scoring_score_drift", 0.02, model="fan"),
    metric("scoring_dead_letters", 4),
    metric("scoring_stage_seconds", 0.5, stage="score", count=10),
    metric("scoring_timer_runs_total", 2, timer="reload_models", outcome="ok"),
    metric("scoring_timer_runs_total", 9, timer="drain_spill", outcome="ok"),
    Row("AppRequests", 5, {"Name": "reload_models", "Success": False, "ItemCount": 1}),
    Row(
        "AppExceptions",
        4,
        {
            "OperationName": "score_events",
            "ExceptionType": "Microsoft.Azure.WebJobs.Script.Workers.WorkerProcessExitException",
            "OuterMessage": "python exited with code 143 (0x8F)",
            "ItemCount": 50,
        },
    ),
]


def _exception(message: str, count: int) -> Row:
    values = {"OperationName": "score_events", "ExceptionType": "Failed", "ItemCount": count}
    told = {"OuterMessage": "failed", "InnermostMessage": message}
    return Row("AppExceptions", 4, {**values, **told})


def _without(name: str, **attributes: str) -> list[Row]:
    gone = metric(name, 0, **attributes).values["Properties"]
    kept = [one for one in HEALTH if one.values.get("Name") != name]
    same = [one for one in HEALTH if one.values.get("Name") == name]
    return kept + [one for one in same if attributes and one.values["Properties"] != gone]


TROUBLE: dict[str, tuple[list[Row], list[str]]] = {
    "lag": (
        [*(metric("scoring_lag_seconds", 300, minutes_ago=n, quantile="0.95") for n in range(9))],
        [""],
    ),
    "no-batch": (_without("scoring_batches_total"), [""]),
    "held": ([metric("scoring_batches_total", 6, outcome="held")], [""]),
    "rejected": (
        [
            metric("scoring_received_total", 30_000),  # the same held batch, again and again
            metric("scoring_scored_total", 940, model="fan"),
            metric("scoring_rejected_total", 40, reason="not_a_number"),
            metric("scoring_rejected_total", 20, reason="missing_feature"),
        ],
        [""],
    ),
    "unaccounted": ([*HEALTH, metric("scoring_unaccounted_total", 1)], [""]),
    "sink-failures": (
        [*HEALTH, *(metric("scoring_sink_failures_total", 2, sink="cosmos") for _ in range(2))],
        ["cosmos"],
    ),
    "refused": ([*HEALTH, metric("scoring_refused_total", 1, sink="cosmos")], ["cosmos"]),
    "spill-age": (
        [*HEALTH, metric("scoring_spill_age_seconds", 1_000, sink="influxdb", minutes_ago=1)],
        ["influxdb"],
    ),
    "spill-size": (
        [
            *HEALTH,
            metric("scoring_spill_bytes", 400_000_000, sink="influxdb", minutes_ago=1),
            metric("scoring_spill_bytes", 400_000_000, sink="cosmos", minutes_ago=2),
        ],
        [""],
    ),
    "model-refused": (
        [*HEALTH, metric("scoring_model_refused", 1, model="fan", instance="b")],
        ["fan"],
    ),
    "model-stale": (
        [
            *HEALTH,
            *(
                metric("scoring_model_stale", 1, model="fan", instance="b", minutes_ago=n)
                for n in range(3, 13)
            ),
        ],
        ["fan"],
    ),
    "model-age": (HEALTH, ["fan"]),
    "timer-silent": (_without("scoring_timer_runs_total"), ["drain_spill", "reload_models"]),
    "anomaly-rate": (
        [
            metric("scoring_scored_total", 1_000, model="pump"),
            metric("scoring_anomalies_total", 300, model="pump"),
            metric("scoring_scored_total", 1_000, model="fan"),
        ],
        ["pump"],
    ),
    "drift": (
        [*HEALTH, *(metric("scoring_score_drift", 0.4, model="pump") for _ in range(3))],
        ["pump"],
    ),
    "exceptions": ([*HEALTH, _exception("division by zero", 11)], ["score_events"]),
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_fires_on_the_trouble_it_is_for(rule: Rule) -> None:
    """And names the store, model, timer or function."""
    rows, expected = TROUBLE[rule.name]
    assert sorted(rule.fired(rows)) == expected


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_is_quiet_in_health(rule: Rule) -> None:
    """Peaks that passed, a few failures and an instance that was scaled in are health."""
    if rule.name == "model-age":  # off unless a number of days is given
        assert "var unused = maximumModelAgeDays > 0 ? [] : ['model-age']" in ALERTS
    else:
        assert rule.fired(HEALTH) == []


@pytest.mark.parametrize("rows", [None, []], ids=["no-tables", "no-rows"])
def test_before_the_app_runs_only_the_timers_are_silent(rows: list[Row] | None) -> None:
    """An app that never starts, as with a role missing, sends nothing; that is told."""
    fired = {rule.name for rule in RULES.values() if rule.fired(rows)}
    assert fired == {"timer-silent"}


def test_a_plant_that_rests_is_not_a_batch_missing() -> None:
    """No events and no batches: nothing is wrong with the app."""
    rows = [sent_events(0, minutes_ago=minute) for minute in range(30)]
    assert RULES["no-batch"].fired(rows) == []


def test_events_that_only_just_came_are_not_missed() -> None:
    """After a rest the first batch and its metric take some minutes."""
    rows = [sent_events(500, minutes_ago=minute) for minute in range(8)]
    assert RULES["no-batch"].fired(rows) == []


def test_a_batch_that_is_held_is_not_missing() -> None:
    """The trigger works; another rule tells of it."""
    rows = [*_without("scoring_batches_total"), metric("scoring_batches_total", 1, outcome="held")]
    assert RULES["no-batch"].fired(rows) == []


def test_a_timer_that_the_host_saw_is_not_silent() -> None:
    """An instance may stand still before it exports its count."""
    seen = Row("AppRequests", 3, {"Name": "reload_models", "Success": True, "ItemCount": 1})
    assert RULES["timer-silent"].fired([*_without("scoring_timer_runs_total"), seen]) == [
        "drain_spill"
    ]


@pytest.mark.parametrize("timer", ["reload_models", "drain_spill"])
def test_a_timer_that_fails_each_time_is_told(timer: str) -> None:
    """Whether the app counts the failures, or only the host sees them."""
    failed = [
        *(metric("scoring_timer_runs_total", 1, timer=timer, outcome="failed") for _ in range(9)),
        *(Row("AppRequests", n, {"Name": timer, "Success": False}) for n in range(9)),
    ]
    others = _without("scoring_timer_runs_total", timer=timer, outcome="ok")
    assert RULES["timer-silent"].fired([*others, *failed]) == [timer]


def test_wrong_settings_are_told_though_no_batch_is_counted() -> None:
    """The app that counts is never built; the host tells of each function that fails."""
    functions = ("score_events", "reload_models", "drain_spill")
    rows = [
        *(sent_events(500, minutes_ago=minute) for minute in range(30)),
        *(
            Row("AppRequests", n, {"Name": one, "Success": False})
            for one in functions
            for n in (3, 9)
        ),
        _exception("MODEL_ROUTES: give one", 20),
    ]
    fired = {rule.name for rule in RULES.values() if rule.fired(rows)}
    assert fired == {"exceptions", "no-batch", "timer-silent"}


def test_the_age_of_a_model_is_that_of_the_youngest_process() -> None:
    """While a new version comes, it does not go up and down with who told last."""
    rows = [
        metric("scoring_model_age_seconds", 40 * 86_400, model="fan", minutes_ago=1),
        metric("scoring_model_age_seconds", 86_400, model="fan", minutes_ago=2, instance="b"),
        metric("scoring_model_age_seconds", 90 * 86_400, model="fan", minutes_ago=9, instance="b"),
    ]
    assert run_query(RULES["model-age"].query, rows) == [{"model": "fan", "age_days": 1}]


def test_the_rules_look_often_enough_for_rows_that_come_late() -> None:
    """Rows take minutes to arrive: a window as long as the time between two looks misses some."""
    allowed = {
        one for line in re.findall(r"@allowed\((.*PT5M.*)\)", ALERTS) for one in line.split("'")
    }
    looks = {int(one[2:-1]) for one in allowed if one.startswith("PT")}
    windows = [rule.window for rule in RULES.values() if rule.window.endswith("M")]
    assert max(looks) + 5 <= min(int(one[2:-1]) for one in windows)


@pytest.mark.parametrize("name", ["rejected", "anomaly-rate"])
def test_a_share_of_a_few_readings_is_not_told(name: str) -> None:
    """Nine in ten of ten readings say nothing."""
    rows = [
        metric("scoring_received_total", 10),
        metric("scoring_rejected_total", 9, reason="not_a_number"),
        metric("scoring_scored_total", 10, model="fan"),
        metric("scoring_anomalies_total", 9, model="fan"),
    ]
    assert RULES[name].fired(rows) == []


@pytest.mark.parametrize("name", TILES)
def test_every_tile_shows_something_in_health(name: str) -> None:
    """It runs, and no column is empty throughout."""
    rows = run_query(QUERIES[name], [*HEALTH, _exception("division by zero", 1)])
    assert rows
    assert all(any(one[column] is not None for one in rows) for column in rows[0])


@pytest.mark.parametrize(
    ("tile", "group", "value", "expected"),
    [
        ("batches", "outcome", "batches", {"done": 9, "held": 1}),
        ("rejected", "reason", "readings", {"missing_feature": 20}),
        ("sink-failures", "sink", "failures", {"influxdb": 1}),
        ("timers", "run", "runs", {"reload_models ok": 2, "drain_spill ok": 9}),
        ("doubtful", "what", "readings", {"collided": 3, "unaccounted": 0}),
        ("stages", "stage", "mean_ms", {"score": 50}),
        ("exceptions", "function", "exceptions", {"score_events": 1}),
        (
            "throughput",
            "became",
            "readings",
            {"received": 60_000, "scored": 59_400, "rejected": 20, "held": 1_000},
        ),
        (
            "sinks",
            "became",
            "readings",
            {"influxdb written": 1_900, "influxdb spilled": 80}
            | {"influxdb drained": 80, "influxdb refused": 0},
        ),
    ],
)
def test_a_tile_adds_up(tile: str, group: str, value: str, expected: dict[str, Any]) -> None:
    """Over its times, each series is the sum of what was exported."""
    sums: dict[str, float] = {}
    for one in run_query(QUERIES[f"tile-{tile}"], [*HEALTH, _exception("division by zero", 1)]):
        sums[one[group]] = sums.get(one[group], 0) + one[value]
    assert sums == expected


def test_the_tile_of_models_shows_each_version_with_the_worst_state() -> None:
    """The version in use is the one last reported."""
    rows = [*HEALTH, metric("scoring_model_refused", 1, model="fan", instance="b")]
    (row,) = run_query(QUERIES["tile-models"], rows)
    shown = {key: value for key, value in row.items() if key != "last_reported"}
    assert shown == {"model": "fan", "version": "v2", "age_days": 1, "refused": 1, "stale": 1}
