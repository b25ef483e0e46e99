"""Tests of scoring.cosmos_settings: where the Cosmos DB sink writes, and which sinks are on."""

import pytest

from scoring.app import build_app
from scoring.errors import SettingsError
from scoring.settings import load_settings

KEY = "c2VjcmV0LWtleQ=="
BY_KEY = f"AccountEndpoint=https://plant.documents.azure.com:443/;AccountKey={KEY};"
ENDPOINT = "https://plant.documents.azure.com:443/"
INFLUX = {
    "INFLUXDB_URL": "http://127.0.0.1:1",
    "INFLUXDB_ORG": "plant",
    "INFLUXDB_BUCKET": "scores",
    "INFLUXDB_TOKEN": "t0ken",
}


def problems(**environ: str) -> list[str]:
    """Return the problems that these settings have."""
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    return list(caught.value.problems)


def sinks(**environ: str) -> list[str]:
    """Return the names of the sinks that these settings switch on."""
    return [outlet.sink.name for outlet in build_app(load_settings(environ)).delivery.outlets]


def test_without_an_account_the_sink_is_off() -> None:
    """Names alone switch nothing on."""
    assert load_settings({"COSMOS_DATABASE": "plant", "COSMOS_WRITE": "all"}).cosmos is None


@pytest.mark.parametrize(
    "one", [{"COSMOS_ENDPOINT": ENDPOINT}, {"COSMOS_CONNECTION_STRING": BY_KEY}]
)
def test_an_account_switches_it_on(one: dict[str, str]) -> None:
    """Under the usual names, reached by identity or by key."""
    found = load_settings(one).cosmos
    assert found is not None
    assert (found.database, found.container, found.write) == ("iot-sensor-db", "anomalies", "all")
    assert [found.endpoint, found.connection_string] == [
        one.get("COSMOS_ENDPOINT"),
        one.get("COSMOS_CONNECTION_STRING"),
    ]


@pytest.mark.parametrize(
    ("environ", "write"),
    [
        ({}, "all"),
        (INFLUX, "anomalies"),
        ({**INFLUX, "COSMOS_WRITE": "All"}, "all"),
        ({"COSMOS_WRITE": "anomalies"}, "anomalies"),
    ],
    ids=["alone", "beside InfluxDB", "all of them", "anomalies alone"],
)
def test_beside_influxdb_only_anomalies_are_written(environ: dict[str, str], write: str) -> None:
    """Every reading is there already; a setting decides otherwise."""
    found = load_settings({"COSMOS_ENDPOINT": ENDPOINT, **environ}).cosmos
    assert found is not None
    assert found.write == write


def test_the_sinks_that_are_set_are_on() -> None:
    """SQLite is the store of those who have set none."""
    cosmos = {"COSMOS_CONNECTION_STRING": BY_KEY}
    assert sinks() == ["sqlite"]
    assert sinks(**cosmos) == ["cosmos"]
    assert sinks(**INFLUX, **cosmos) == ["influxdb", "cosmos"]


@pytest.mark.parametrize("value", ["some", "anomaly", "all,anomalies"])
def test_what_to_write_is_one_of_two(value: str) -> None:
    """Even while the sink is off, so that switching it on is no surprise."""
    assert problems(COSMOS_WRITE=value) == ["COSMOS_WRITE: set anomalies or all"]


def test_two_ways_to_an_account_are_one_too_many() -> None:
    """Otherwise nobody could tell which one is in use."""
    (said,) = problems(COSMOS_ENDPOINT=ENDPOINT, COSMOS_CONNECTION_STRING=BY_KEY)
    assert said == "COSMOS_ENDPOINT: set this or COSMOS_CONNECTION_STRING, not both"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("COSMOS_ENDPOINT", "plant.documents.azure.com"),
        ("COSMOS_ENDPOINT", "http://plant.documents.azure.com"),
        ("COSMOS_CONNECTION_STRING", ENDPOINT),
        ("COSMOS_CONNECTION_STRING", f"AccountEndpoint={ENDPOINT}"),
        ("COSMOS_CONNECTION_STRING", f"AccountKey={KEY}"),
        ("COSMOS_CONNECTION_STRING", f"AccountEndpoint={ENDPOINT};AccountKey=s3cret!"),
        ("COSMOS_CONNECTION_STRING", f"AccountEndpoint={ENDPOINT};AccountKey={KEY};rest"),
        ("COSMOS_CONNECTION_STRING", f"AccountEndpoint=plant;AccountKey={KEY}"),
        ("COSMOS_CONNECTION_STRING", f"AccountEndpoint={ENDPOINT};AccountKey=ö"),
        ("COSMOS_DATABASE", "a/b"),
        ("COSMOS_CONTAINER", "a#b"),
        ("COSMOS_CONTAINER", "x" * 256),
    ],
)
def test_what_the_client_could_not_use_is_a_problem(name: str, value: str) -> None:
    """It would fail there as a fault of ours, and the readings would be dead letters."""
    (said,) = problems(**{name: value})
    assert said.startswith(f"{name}: ")
    assert value not in said


def test_a_key_stands_in_no_text_of_the_settings() -> None:
    """Settings are logged and shown while someone looks for a fault."""
    found = load_settings({"COSMOS_CONNECTION_STRING": BY_KEY})
    assert KEY not in repr(found.cosmos)


def test_on_azure_cosmos_db_is_a_store() -> None:
    """Scores are not lost with the instance; without any store they would be."""
    azure = {
        "WEBSITE_INSTANCE_ID": "abc",
        "STORAGE_ACCOUNT_NAME": "readings",
        "EVENT_HUB_NAME": "readings",
        "EVENT_HUB_CONSUMER_GROUP": "scorer",
        "MODEL_RELOAD_SCHEDULE": "0 */5 * * * *",
        "SPILL_DRAIN_SCHEDULE": "*/30 * * * * *",
    }
    assert load_settings({**azure, "COSMOS_ENDPOINT": ENDPOINT}).cosmos is not None
    (said,) = problems(**azure)
    assert "COSMOS_ENDPOINT" in said
