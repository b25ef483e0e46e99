"""Fixtures of an app that delivers.

A test module asks for them with `pytest_plugins`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployments import Deployment, deployed
from tests.small_models import publish, small_model


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Deployment]:
    """Build an app without any model yet."""
    with deployed(tmp_path, MODEL_REFRESH_SECONDS="0.1") as deployment:
        yield deployment


@pytest.fixture
def ready(empty: Deployment) -> Deployment:
    """Build an app with a model."""
    publish(empty.models, small_model())
    return empty
