"""Versions of models that a source has found."""

from scoring.registry import Fetched
from scoring.storage import NotRead


def fetched(found: Fetched | NotRead) -> Fetched:
    """Return a new version; nothing else is expected."""
    assert isinstance(found, Fetched)
    return found
