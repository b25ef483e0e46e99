"""Which texts may name a model, a file in a container, a container or an account."""

import re

_MODEL = re.compile(r"[A-Za-z0-9._-]{1,64}")
# What both stores take, without ways out of a folder and without control characters.
_PATH_PART = re.compile(r"[A-Za-z0-9$ ()+,;=@_.-]{1,255}")
# Azure's own rules; a folder and an address are made of these names.
_CONTAINER = re.compile(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*")
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")


def is_model_name(text: str) -> bool:
    """Tell whether `text` may name a model or a version: never a way out of its folder."""
    return _MODEL.fullmatch(text) is not None and text.strip(".") != ""


def is_plain_path(text: str) -> bool:
    """Tell whether `text` is a path inside a container: plain names joined by slashes."""
    parts = text.split("/")
    return all(_PATH_PART.fullmatch(part) and part.strip(". ") for part in parts)


def is_container_name(text: str) -> bool:
    """Tell whether Azure takes `text` as the name of a container."""
    return _CONTAINER.fullmatch(text) is not None


def is_account_name(text: str) -> bool:
    """Tell whether `text` is a storage account's name alone, and no address."""
    return _ACCOUNT.fullmatch(text) is not None
