"""Tests of scoring.influx_settings: where the InfluxDB sink writes."""

import pytest

from scoring.errors import SettingsError
from scoring.settings import load_settings

INFLUX = {
    "INFLUXDB_URL": "http://localhost:8086",
    "INFLUXDB_ORG": "plant",
    "INFLUXDB_BUCKET": "scores",
    "INFLUXDB_TOKEN": "t0ken",
}


def problems(**environ: str) -> tuple[str, ...]:
    """Return the problems that these settings have."""
    with pytest.raises(SettingsError) as caught:
        load_settings({**INFLUX, **environ})
    return caught.value.problems


def test_without_an_address_the_sink_is_off() -> None:
    """Whatever else is set."""
    assert load_settings({**INFLUX, "INFLUXDB_URL": ""}).influxdb is None


def test_an_address_switches_it_on() -> None:
    """Every part reaches the sink."""
    found = load_settings(INFLUX).influxdb
    assert found is not None
    assert (found.url, found.org) == ("http://localhost:8086", "plant")
    assert (found.bucket, found.token) == ("scores", "t0ken")


@pytest.mark.parametrize("url", ["localhost:8086", "ftp://localhost", "HTTP//x"])
def test_an_address_names_its_scheme(url: str) -> None:
    """The client would take it for a path."""
    said = "INFLUXDB_URL: set an address that begins with http:// or https://"
    assert problems(INFLUXDB_URL=url) == (said,)


@pytest.mark.parametrize("part", ["ORG", "BUCKET", "TOKEN"])
def test_an_address_needs_the_rest(part: str) -> None:
    """Each part that is missing is a problem of its own."""
    (problem,) = problems(**{f"INFLUXDB_{part}": ""})
    assert problem.startswith(f"INFLUXDB_{part}: is not set")


@pytest.mark.parametrize("token", ["t\u00f6ken", "to\nken"], ids=["beyond ASCII", "two lines"])
def test_a_token_that_no_header_can_hold_is_a_problem(token: str) -> None:
    """It would fail in the client as a fault of ours, and the readings would be dead letters."""
    (problem,) = problems(INFLUXDB_TOKEN=token)
    assert problem.startswith("INFLUXDB_TOKEN")
    assert token not in problem


def test_a_vault_reference_that_was_not_resolved_is_a_problem() -> None:
    """Sent as a token it would be refused, and everything spilled for want of a secret."""
    reference = "@Microsoft.KeyVault(SecretUri=https://kv.vault.azure.net/secrets/influxdb-token)"
    (problem,) = problems(INFLUXDB_TOKEN=reference)
    assert problem.startswith("INFLUXDB_TOKEN: the vault's secret cannot be read")
    assert reference not in problem


def test_a_token_stands_in_no_text_of_the_settings() -> None:
    """Settings may be printed; whoever reads a log is not to write to the store."""
    assert "t0ken" not in repr(load_settings(INFLUX))
