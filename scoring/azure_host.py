"""Tells what the Azure platform leaves in the environment of an app."""

import socket
from collections.abc import Mapping

# Either tells Azure. The site's name is set on every plan; an instance id is not on Flex
# Consumption, where an instance is known by its container or pod.
AZURE_MARKS = ("WEBSITE_INSTANCE_ID", "WEBSITE_SITE_NAME")
_INSTANCE_NAMES = ("WEBSITE_INSTANCE_ID", "CONTAINER_NAME", "WEBSITE_POD_NAME")
# What is left of a Key Vault reference that could not be resolved: the reference.
_REFERENCE = "@Microsoft.KeyVault("


def is_on_azure(environ: Mapping[str, str]) -> bool:
    """Tell whether this is an app on Azure, on any plan."""
    return any(environ.get(mark) for mark in AZURE_MARKS)


def machine_name(environ: Mapping[str, str]) -> str:
    """Name the instance on Azure, the machine elsewhere."""
    named = filter(None, map(environ.get, _INSTANCE_NAMES))
    return next(named, None) or socket.gethostname()


def is_unresolved(value: str) -> bool:
    """Tell whether a setting is a Key Vault reference instead of what it refers to."""
    return value.startswith(_REFERENCE)
