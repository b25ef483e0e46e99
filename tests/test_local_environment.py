"""Tests of local.environment: how settings in bindings are resolved."""

import pytest

from local.environment import Environment, process_environment, project_defaults
from scoring.errors import SettingsError


def environment(**variables: str) -> Environment:
    """Return an environment over two defaults."""
    return Environment(variables, lambda: {"HUB": "default-hub", "NO_DEFAULT": None})


def test_a_variable_beats_the_default() -> None:
    """The environment comes first."""
    assert environment(HUB="mine").resolve("%HUB%", used_by="f") == "mine"


@pytest.mark.parametrize(
    "variables", [{}, {"HUB": ""}, {"HUB": " "}], ids=["unset", "empty", "blank"]
)
def test_an_unset_variable_has_its_default(variables: dict[str, str]) -> None:
    """An empty variable counts as not set."""
    assert environment(**variables).resolve("%HUB%", used_by="f") == "default-hub"


def test_text_around_settings_stays() -> None:
    """Several settings may stand in one text."""
    found = environment(A="1", B="2").resolve("x-%A%-%B%-y", used_by="f")
    assert found == "x-1-2-y"


def test_a_setting_without_value_or_default_is_named() -> None:
    """The message says what to set and for which function, for each setting."""
    with pytest.raises(SettingsError) as caught:
        environment().resolve("%NO_DEFAULT%/%UNKNOWN%", used_by="score_events")
    assert caught.value.problems == (
        "set NO_DEFAULT: the function score_events needs it",
        "set UNKNOWN: the function score_events needs it",
    )


@pytest.mark.parametrize(
    ("value", "disabled"), [("true", True), ("True", True), ("1", True), ("false", False)]
)
def test_a_function_can_be_disabled(value: str, disabled: bool) -> None:
    """The app setting of Azure works here."""
    found = Environment({"AzureWebJobs.score_events.Disabled": value}, dict)
    assert found.is_disabled("score_events") is disabled
    assert not found.is_disabled("other")


def test_the_defaults_are_those_of_the_project() -> None:
    """The hub's name needs no setting."""
    assert project_defaults()["EVENT_HUB_NAME"] == "sensor-features"


def test_the_process_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read at the time of the question."""
    monkeypatch.setenv("EVENT_HUB_NAME", "from-test")
    assert process_environment().get("EVENT_HUB_NAME") == "from-test"
