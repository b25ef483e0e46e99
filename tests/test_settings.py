"""Tests of scoring.settings: all read once, every problem at once."""

import json
import os
from pathlib import Path

import pytest

from bicep_checks.app_settings import settings_of
from scoring.errors import SettingsError
from scoring.known_settings import HOST_SETTINGS, STORAGE_SETTINGS
from scoring.settings import SETTINGS, load_settings

ALL_SETTINGS = (*SETTINGS.values(), *HOST_SETTINGS.values())
EXAMPLE = Path(__file__).parents[1] / "local.settings.json.example"
INFLUX = {
    "INFLUXDB_URL": "http://localhost:8086",
    "INFLUXDB_ORG": "plant",
    "INFLUXDB_BUCKET": "scores",
    "INFLUXDB_TOKEN": "t0ken",
}
BOUND = {
    "EVENT_HUB_NAME": "sensor-features",
    "EVENT_HUB_CONSUMER_GROUP": "scorer",
    "MODEL_RELOAD_SCHEDULE": "0 */5 * * * *",
    "SPILL_DRAIN_SCHEDULE": "*/30 * * * * *",
}
AZURE = {"WEBSITE_INSTANCE_ID": "abc", "STORAGE_ACCOUNT_NAME": "readings", **INFLUX, **BOUND}


def problems(**environ: str) -> tuple[str, ...]:
    """Return the problems that these settings have."""
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    return caught.value.problems


def test_nothing_needs_to_be_set_locally() -> None:
    """Without any setting the app runs on folders and SQLite."""
    settings = load_settings({})
    assert settings.data_dir == Path(".local")
    assert settings.model_name == "default"
    assert settings.sensor_id_keys[0] == "sensor_id"
    assert settings.influxdb is None
    assert settings.model_refresh_seconds == 60


def test_an_empty_setting_counts_as_absent() -> None:
    """Portals and examples leave empty texts behind."""
    settings = load_settings(dict.fromkeys(SETTINGS, "  "))
    assert settings.event_hub_name == "sensor-features"
    assert settings.feature_keys is None


def test_settings_are_taken_as_they_stand() -> None:
    """Each value reaches the object, split and parsed."""
    settings = load_settings(
        {
            "MODEL_ROUTES": "pump-*=vibration, *=default",
            "FEATURE_KEYS": "temperature, humidity",
            "TRUSTED_MODEL_TYPES": "mine.Model",
            "MISSING_FEATURES": "Median",
            "TIME_TIE_BREAK": "sequence",
            "MODEL_REFRESH_SECONDS": "0.5",
            "ATTRIBUTION_MAX_READINGS": "0",
            **INFLUX,
        }
    )
    assert settings.model_routes == (("pump-*", "vibration"), ("*", "default"))
    assert settings.feature_keys == ("temperature", "humidity")
    assert settings.trusted_model_types == {"mine.Model"}
    assert (settings.missing_features, settings.time_tie_break) == ("median", "sequence")
    assert (settings.model_refresh_seconds, settings.attribution_max_readings) == (0.5, 0)
    assert settings.influxdb is not None
    assert settings.influxdb.bucket == "scores"


WRONG = {
    "MODEL_NAME": "../models",
    "MODEL_CONTAINER_NAME": "../elsewhere",
    "MODEL_FILE_PATH": "../secret.joblib",
    "MODEL_ROUTES": "pump-*",
    "TRUSTED_MODEL_TYPES": "sklearn.*",
    "FEATURE_KEYS": "a,,b",
    "SENSOR_ID_KEYS": "id,id",
    "MISSING_FEATURES": "guess",
    "TIME_TIE_BREAK": "perhaps",
    "MODEL_REFRESH_SECONDS": "nan",
    "ATTRIBUTION_MAX_READINGS": "1.5",
    "INFLUXDB_URL": "localhost:8086",
    "STORAGE_ACCOUNT_NAME": "evil.example/",
}


@pytest.mark.parametrize("name", ["dead-letter", "spill", "status"])
def test_models_stay_out_of_the_containers_that_the_app_writes_to(name: str) -> None:
    """What it keeps there is no model."""
    (problem,) = problems(MODEL_CONTAINER_NAME=name)
    assert problem == f"MODEL_CONTAINER_NAME: {name} is the app's own; use another"


@pytest.mark.parametrize(("name", "value"), WRONG.items(), ids=WRONG)
def test_a_wrong_value_is_a_problem_of_its_setting(name: str, value: str) -> None:
    """The sentence begins with the setting's name, so that its reader knows what to set."""
    assert any(problem.startswith(f"{name}: ") for problem in problems(**{name: value}))


def test_every_problem_is_told_at_once() -> None:
    """Nobody mends thirteen settings in thirteen restarts."""
    named = {problem.partition(":")[0] for problem in problems(**WRONG)}
    assert named >= set(WRONG) | {"INFLUXDB_ORG", "INFLUXDB_BUCKET", "INFLUXDB_TOKEN"}


def test_a_problem_never_shows_a_value() -> None:
    """Health shows problems to anyone; a token may stand under the wrong name."""
    said = " ".join(problems(**dict.fromkeys(WRONG, "s3cret/\\..;")))
    assert "s3cret" not in said


@pytest.mark.parametrize("value", ["0", "-1", "1e9", "inf", "soon"])
def test_a_refresh_interval_is_a_usable_number(value: str) -> None:
    """From a tenth of a second to a day."""
    assert problems(MODEL_REFRESH_SECONDS=value)


@pytest.mark.parametrize(
    "path",
    ["/etc/model.joblib", "..", "a/../b", "a\\b", "a//b", "a/./b", "./a", "a\tb", "a/"],
)
def test_a_model_path_cannot_leave_the_container(path: str) -> None:
    """Only plain names joined by slashes."""
    assert problems(MODEL_FILE_PATH=path)[0].startswith("MODEL_FILE_PATH: ")


@pytest.mark.parametrize("routes", ["=m", "p=", "p=../x", "p=a/b", "p=..", "a,b", ",", "p=m,p=m"])
def test_a_route_is_a_pattern_and_a_model(routes: str) -> None:
    """A model's name becomes a path, so it follows the rule for names."""
    assert problems(MODEL_ROUTES=routes)[0].startswith("MODEL_ROUTES: ")


# One wrong value each, of all whose value can be wrong alone.
WRONG = {
    "STORAGE_ACCOUNT_NAME": "Read Ings",
    "MODEL_CONTAINER_NAME": "M",
    "MODEL_FILE_PATH": "../iforest.joblib",
    "MODEL_NAME": "a/b",
    "MODEL_ROUTES": "pumps",
    "TRUSTED_MODEL_TYPES": "plant.*",
    "FEATURE_KEYS": "a,a",
    "SENSOR_ID_KEYS": "id,",
    "MISSING_FEATURES": "perhaps",
    "MODEL_REFRESH_SECONDS": "0",
    "SPILL_DRAIN_SCHEDULE": "often",
    "INFLUXDB_URL": "influx",
    "COSMOS_WRITE": "some",
    "COSMOS_DATABASE": "a/b",
    "OTEL_TRACES_SAMPLER_ARG": "2",
}


@pytest.mark.parametrize("name", WRONG)
def test_settings_that_are_not_to_be_read_are_not_refused(name: str) -> None:
    """Nor is one that is to be read overlooked."""
    with pytest.raises(SettingsError) as caught:
        load_settings(WRONG, only={name})
    assert {one.partition(":")[0] for one in caught.value.problems} >= {name}
    assert {one.partition(":")[0] for one in caught.value.problems} <= {name, *INFLUX}
    others = {one: value for one, value in WRONG.items() if one != name}
    load_settings(others, only={name})


def test_settings_that_are_not_to_be_read_have_their_defaults() -> None:
    """Nothing of what was not checked is handed on."""
    settings = load_settings({**AZURE, "MODEL_NAME": "pumps"}, only=STORAGE_SETTINGS)
    assert (settings.storage_account_name, settings.model_name) == ("readings", "default")
    assert (settings.influxdb, settings.cosmos) == (None, None)
    assert load_settings({"WEBSITE_SITE_NAME": "x"}, only={"FEATURE_KEYS"}).feature_keys is None


def test_routes_need_the_registry() -> None:
    """One bare file is one model."""
    said = problems(MODEL_ROUTES="*=default", MODEL_FILE_PATH="iforest.joblib")
    assert said == ("MODEL_ROUTES: needs the registry layout; unset MODEL_FILE_PATH or this",)


def test_two_ways_to_storage_are_one_too_many() -> None:
    """Otherwise nobody could tell which one is in use."""
    said = problems(STORAGE_ACCOUNT_NAME="readings", STORAGE_CONNECTION_STRING="x=y")
    assert "not both" in said[0]


def test_azure_is_content_with_an_account_and_a_store() -> None:
    """The settings of a deployment have no problem."""
    settings = load_settings(AZURE)
    assert settings.storage_account_name == "readings"
    assert settings.instance.startswith("abc-")


@pytest.mark.parametrize("missing", ["STORAGE_ACCOUNT_NAME", "INFLUXDB_URL"])
def test_azure_needs_storage_and_a_store(missing: str) -> None:
    """A folder and SQLite are lost with the instance there."""
    environ = {name: value for name, value in AZURE.items() if name != missing}
    assert [problem.partition(":")[0] for problem in problems(**environ)] == [missing]


def test_flex_consumption_is_azure_without_an_instance_id() -> None:
    """It names the site on every plan; the store would be lost there just the same."""
    flex = {"WEBSITE_SITE_NAME": "func-x", "CONTAINER_NAME": "c-1", **BOUND}
    said = problems(**flex)
    assert [problem.partition(":")[0] for problem in said] == [
        "STORAGE_ACCOUNT_NAME",
        "INFLUXDB_URL",
    ]


@pytest.mark.parametrize("name", BOUND)
def test_azure_needs_what_the_host_puts_into_bindings(name: str) -> None:
    """It knows no defaults of ours, and a function that it cannot bind is silent."""
    (problem,) = problems(**{**AZURE, name: ""})
    assert problem.startswith(f"{name}: is not set")
    assert load_settings({}).event_hub_name == "sensor-features"


@pytest.mark.parametrize("schedule", ["every five", "*/5 * * * *", "5", "0 */5 * * * * *"])
def test_a_schedule_that_the_host_cannot_read_is_a_problem(schedule: str) -> None:
    """Six fields, seconds first, or a time span."""
    (problem,) = problems(MODEL_RELOAD_SCHEDULE=schedule)
    assert problem.startswith("MODEL_RELOAD_SCHEDULE: set six fields")


@pytest.mark.parametrize("schedule", ["0 */5 * * * *", "0 0 9-17 * * MON-FRI", "00:05:00"])
def test_a_schedule_of_either_form_is_taken(schedule: str) -> None:
    """As Azure documents them."""
    load_settings({"MODEL_RELOAD_SCHEDULE": schedule})


def test_a_key_of_storage_stands_in_no_text_of_the_settings() -> None:
    """Settings may be printed; whoever reads a log is not to reach the account."""
    settings = load_settings({"STORAGE_CONNECTION_STRING": "AccountKey=s3cret"})
    assert settings.storage_connection_string == "AccountKey=s3cret"
    assert "s3cret" not in repr(settings)


def test_an_instance_has_a_name_that_can_be_a_path() -> None:
    """Its status record is stored under it."""
    settings = load_settings({**AZURE, "WEBSITE_INSTANCE_ID": "../a/b" * 40})
    assert settings.instance.endswith(f"-{os.getpid()}")
    assert set(settings.instance) <= set("-ab0123456789")


def test_the_example_holds_every_local_setting() -> None:
    """A newcomer copies one file and sees all there is to set."""
    assert set(json.loads(EXAMPLE.read_text())["Values"]) == set(settings_of("local"))


def test_the_example_shows_the_defaults() -> None:
    """Copying it changes nothing but where data lies."""
    values = json.loads(EXAMPLE.read_text())["Values"]
    shown = {name: values[name] for name, setting in SETTINGS.items() if setting.default}
    assert shown == {name: setting.default for name, setting in SETTINGS.items() if setting.default}
    assert load_settings(values).storage_connection_string == "UseDevelopmentStorage=true"


@pytest.mark.parametrize("setting", ALL_SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_says_what_it_is_for(setting: object) -> None:
    """The meaning goes into the documentation as it stands."""
    assert getattr(setting, "meaning", "")
    assert getattr(setting, "where", "") in {"local", "azure", "both"}
