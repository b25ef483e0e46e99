"""Tests of scoring.telemetry_settings: where telemetry goes, and what is wrong with that."""

import pytest

from scoring.errors import SettingsError
from scoring.settings import TelemetrySettings, load_settings

KEY = "InstrumentationKey=00000000-0000-0000-0000-000000000001"


# What an app on Azure cannot do without, and its name there.
ON_AZURE = {
    "WEBSITE_SITE_NAME": "func-7",
    "STORAGE_ACCOUNT_NAME": "readings",
    "COSMOS_ENDPOINT": "https://plant.documents.azure.com",
    "EVENT_HUB_NAME": "sensor-features",
    "EVENT_HUB_CONSUMER_GROUP": "scorer",
    "MODEL_RELOAD_SCHEDULE": "0 */5 * * * *",
    "SPILL_DRAIN_SCHEDULE": "*/30 * * * * *",
}


def read(**environ: str) -> TelemetrySettings:
    """Read the settings of telemetry."""
    return load_settings(environ).telemetry


def test_nothing_goes_anywhere_by_default() -> None:
    """Once a minute, and a twentieth of the traces, where something is set later."""
    settings = read()
    assert not settings.is_on
    assert (settings.interval_ms, settings.traced_share) == (60_000, 0.05)


@pytest.mark.parametrize(
    "environ",
    [
        {"APPLICATIONINSIGHTS_CONNECTION_STRING": KEY},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"},
        {"TELEMETRY_CONSOLE": "True"},
    ],
    ids=lambda environ: next(iter(environ)),
)
def test_one_destination_switches_it_on(environ: dict[str, str]) -> None:
    """Each by itself."""
    assert read(**environ).is_on


def test_an_identity_is_read_from_the_string() -> None:
    """In any order, as Azure documents it; without a client id it is the app's only one."""
    settings = read(APPLICATIONINSIGHTS_AUTHENTICATION_STRING="Authorization=AAD;ClientId=abc")
    assert (settings.uses_identity, settings.client_id) == (True, "abc")
    settings = read(APPLICATIONINSIGHTS_AUTHENTICATION_STRING="Authorization=AAD")
    assert (settings.uses_identity, settings.client_id) == (True, None)
    assert not read().uses_identity


def test_the_app_is_named_by_its_deployment() -> None:
    """`OTEL_SERVICE_NAME` goes before the Function App's name."""
    assert read().service == "anomaly-scorer"
    assert read(**ON_AZURE).service == "func-7"
    assert read(**ON_AZURE, OTEL_SERVICE_NAME="plant").service == "plant"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("APPLICATIONINSIGHTS_CONNECTION_STRING", "s3cret"),
        ("APPLICATIONINSIGHTS_CONNECTION_STRING", "InstrumentationKey=s3cret"),
        ("APPLICATIONINSIGHTS_CONNECTION_STRING", f"{KEY};IngestionEndpoint=s3cret"),
        ("APPLICATIONINSIGHTS_AUTHENTICATION_STRING", "ClientId=s3cret"),
        ("APPLICATIONINSIGHTS_AUTHENTICATION_STRING", "s3cret"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "s3cret:4318"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "s3cret"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "nan"),
        ("OTEL_TRACES_SAMPLER_ARG", "s3cret"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.1"),
        ("OTEL_TRACES_SAMPLER_ARG", "nan"),
        ("TELEMETRY_CONSOLE", "s3cret"),
    ],
)
def test_a_wrong_value_is_a_problem_of_its_setting(name: str, value: str) -> None:
    """One sentence that begins with the name, and never shows the value."""
    with pytest.raises(SettingsError) as caught:
        read(**{name: value})
    (problem,) = caught.value.problems
    assert problem.startswith(f"{name}: ")
    assert "s3cret" not in problem


def test_a_connection_string_is_not_shown() -> None:
    """It holds the key that lets metrics in."""
    assert KEY not in repr(read(APPLICATIONINSIGHTS_CONNECTION_STRING=KEY))
