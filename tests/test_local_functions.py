"""Tests of local.functions and local.host_json: what is found in an app."""

from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

from local.environment import Environment
from local.functions import FoundFunctions, find_functions, import_app
from local.host_json import read_host_json
from local.retry import RetryPolicy
from scoring.errors import SettingsError

MANY = {"arg_name": "events", "connection": "C", "cardinality": func.Cardinality.MANY}


def find(app: func.FunctionApp, **variables: str) -> FoundFunctions:
    """Find an app's functions, with nothing set besides `variables`."""
    return find_functions(app, Environment(variables, dict))


def app_with(**functions: dict[str, Any]) -> func.FunctionApp:
    """Return an app of Event Hubs functions with these trigger options."""
    app = func.FunctionApp()
    for name, options in functions.items():
        app.function_name(name)(app.event_hub_message_trigger(**options)(lambda events: events))
    return app


def test_an_event_hub_trigger_is_read_with_its_settings() -> None:
    """Names come from the environment; the consumer group has Azure's default."""
    app = app_with(score=MANY | {"event_hub_name": "%HUB%", "data_type": func.DataType.BINARY})
    (function,) = find(app, HUB="features").event_hub
    found = (function.target.name, function.hub, function.consumer_group, function.data_type)
    assert found == ("score", "features", "$Default", "BINARY")


def test_a_retry_policy_is_read() -> None:
    """As the decorator holds it."""
    app = func.FunctionApp()

    @app.event_hub_message_trigger(**MANY, event_hub_name="hub")
    @app.retry(strategy="fixed_delay", max_retry_count="3", delay_interval="00:00:02")
    def score(events: object) -> None: ...

    (function,) = find(app).event_hub
    assert function.retry == RetryPolicy("fixed_delay", 3, 2, 2)
    assert function.data_type == "UNDEFINED"


@pytest.mark.parametrize("cardinality", [None, func.Cardinality.ONE], ids=["default", "one"])
def test_single_events_are_refused(cardinality: func.Cardinality | None) -> None:
    """The message says what to write."""
    app = app_with(score=MANY | {"event_hub_name": "hub", "cardinality": cardinality})
    with pytest.raises(SettingsError, match=r"score: .* cardinality=func.Cardinality.MANY"):
        find(app)


def test_all_problems_are_told_at_once() -> None:
    """One start shows everything that is to be set."""
    with pytest.raises(SettingsError) as caught:
        find(app_with(a=MANY | {"event_hub_name": "%X%"}, b=MANY | {"event_hub_name": "%Y%"}))
    assert len(caught.value.problems) == 2


def test_two_functions_cannot_share_a_consumer_group() -> None:
    """They would take each other's events."""
    hub = MANY | {"event_hub_name": "hub"}
    with pytest.raises(SettingsError, match="give b a consumer group of its own: a reads hub"):
        find(app_with(a=hub, b=hub))
    other = find(app_with(a=hub, b=hub | {"consumer_group": "b"}))
    assert len(other.event_hub) == 2


def test_a_disabled_function_is_left_out_but_its_hub_stays() -> None:
    """Senders need not know what is switched off."""
    app = app_with(score=MANY | {"event_hub_name": "hub"})
    found = find(app, **{"AzureWebJobs.score.Disabled": "true"})
    assert (found.event_hub, found.disabled, found.hubs) == ((), ("score",), ("hub",))


def test_the_app_is_found_in_its_folder(tmp_path: Path) -> None:
    """A folder without function_app.py is named as the fault."""
    with pytest.raises(SettingsError, match=r"folder that holds function_app\.py"):
        import_app(tmp_path)


def test_host_json_is_read(tmp_path: Path) -> None:
    """Other parts of the file do not matter here."""
    (tmp_path / "host.json").write_text(
        '{"version": "2.0", "logging": {}, "extensions": {"eventHubs": {"maxEventBatchSize": 512,'
        '"initialOffsetOptions": {"type": "fromEnd"}}, "http": {"routePrefix": ""}}}'
    )
    found = read_host_json(tmp_path).extensions
    assert found.event_hubs.max_event_batch_size == 512
    assert found.event_hubs.initial_offset_options.type == "fromEnd"
    assert found.http.route_prefix == ""


def test_without_host_json_the_defaults_hold(tmp_path: Path) -> None:
    """They are the host's own."""
    found = read_host_json(tmp_path).extensions
    assert (found.event_hubs.max_event_batch_size, found.http.route_prefix) == (100, "api")


@pytest.mark.parametrize(
    "text",
    ["{", '{"extensions": {"eventHubs": {"maxEventBatchSize": 0}}}', '{"extensions": 1}'],
    ids=["no JSON", "zero", "type"],
)
def test_a_bad_host_json_is_refused(tmp_path: Path, text: str) -> None:
    """The message names the file."""
    (tmp_path / "host.json").write_text(text)
    with pytest.raises(SettingsError, match=r"host\.json"):
        read_host_json(tmp_path)
