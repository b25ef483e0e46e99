"""Tests of scoring.azure_host: what the platform leaves in the environment."""

import socket

import pytest

from scoring.azure_host import is_on_azure, is_unresolved, machine_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [("WEBSITE_INSTANCE_ID", True), ("WEBSITE_SITE_NAME", True), ("WEBSITE_HOSTNAME", False)],
)
def test_azure_is_told_on_every_plan(name: str, expected: bool) -> None:
    """Flex Consumption sets no instance id; Core Tools sets a host name on a laptop."""
    assert is_on_azure({name: "x"}) is expected


def test_an_empty_mark_is_none() -> None:
    """So a run on this machine alone can blank it."""
    assert not is_on_azure({"WEBSITE_INSTANCE_ID": "", "WEBSITE_SITE_NAME": ""})


@pytest.mark.parametrize("name", ["WEBSITE_INSTANCE_ID", "CONTAINER_NAME", "WEBSITE_POD_NAME"])
def test_an_instance_is_named_on_every_plan(name: str) -> None:
    """Two with one name would overwrite each other's status record."""
    assert machine_name({name: "c-1"}) == "c-1"


def test_a_laptop_is_named_by_itself() -> None:
    """Nothing else is known there."""
    assert machine_name({}) == socket.gethostname()


def test_a_reference_that_is_left_is_unresolved() -> None:
    """The platform replaces it by the secret, or leaves it as it is."""
    assert is_unresolved("@Microsoft.KeyVault(SecretUri=https://kv.vault.azure.net/secrets/t)")
    assert not is_unresolved("t0ken")
