"""Fixtures of apps whose dead letters are replayed.

A test module asks for them with `pytest_plugins`.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.deployments import Deployment, blob_settings, deployed
from tests.replayed_letters import Deploy
from tests.small_models import publish, small_model


@pytest.fixture(params=["folder", "azurite"])
def stored_in(request: pytest.FixtureRequest) -> dict[str, str]:
    """Set each kind of storage."""
    if request.param == "folder":
        return {}
    return blob_settings(request.getfixturevalue("azurite").connection_string)


@pytest.fixture
def deploy(tmp_path: Path) -> Iterator[Deploy]:
    """Return a function that builds the app anew on a folder of this test."""
    with ExitStack() as stack:

        def build(name: str = "data", hub: str | None = None, **environ: str) -> Deployment:
            built = stack.enter_context(deployed(tmp_path / name, **environ))
            publish(built.models, small_model())
            return built if hub is None else replace(built, hub=hub)

        yield build
