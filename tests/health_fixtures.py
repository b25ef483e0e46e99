"""Fixtures of an app whose health is asked for.

A test module asks for them with `pytest_plugins`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scoring import shared_looks
from tests.deployments import Deployment, deployed
from tests.small_models import publish, small_model


@pytest.fixture
def without_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """Build an app of two models, of which none is published; health looks each time."""
    monkeypatch.setattr(shared_looks, "GOOD_FOR_S", 0.0)
    with deployed(tmp_path, MODEL_ROUTES="kiln-*=kiln,*=default") as deployment:
        yield deployment


@pytest.fixture
def with_models(without_models: Deployment) -> Deployment:
    """Publish both models."""
    publish(without_models.models, small_model())
    publish(without_models.models, small_model("kiln", seed=1))
    return without_models
