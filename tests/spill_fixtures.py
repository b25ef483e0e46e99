"""Fixtures of an empty spill, and of what may be put into it.

A test module asks for them with `pytest_plugins`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scoring.pipeline import score_batch
from scoring.spill import Spill
from scoring.storage import Container
from tests.deployments import deployed
from tests.event_batches import body, event_batch
from tests.kinds_of_storage import container_of
from tests.small_models import publish, small_model
from tests.spilled_work import Clock, Work


@pytest.fixture(params=["folder", "azurite"])
def spill_container(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Container]:
    """Return an empty container of each kind."""
    with container_of(request, tmp_path / "stored") as found:
        yield found


@pytest.fixture
def spill(spill_container: Container) -> Spill:
    """Return an empty spill with room."""
    return Spill(spill_container, 10, Clock())


@pytest.fixture
def spill_work(tmp_path: Path) -> Work:
    """Score a batch with an anomaly, an array and a body that is not plain ASCII."""
    bodies = [
        body(0, temperature=90.0),
        b"[%b,%b]" % (body(1), body(2)),
        body(3, sensor="Pümpe", note="…"),
    ]
    events = event_batch(bodies, first=40)
    with deployed(tmp_path / "app") as deployment:
        publish(deployment.models, small_model())
        delivery = deployment.app.delivery
        (scored,) = score_batch(events, delivery.cache.snapshot(), delivery.policy).scored
    return events, scored
