"""Fixtures of a cache of models.

A test module asks for them with `pytest_plugins`.
"""

import pytest

from scoring.cache import ModelCache
from tests.moved_time import Clock
from tests.shelves import REFRESH, ByHand, Shelf


@pytest.fixture
def background() -> ByHand:
    """Return a background with nothing to do."""
    return ByHand()


@pytest.fixture
def shelf() -> Shelf:
    """Return a source with one version."""
    return Shelf({"default": "v1"})


@pytest.fixture
def cache(shelf: Shelf, clock: Clock, background: ByHand) -> ModelCache:
    """Return a cache that has not looked yet."""
    return ModelCache(shelf, ["default"], REFRESH, clock, background)
