"""Models that score as no model should."""

from collections.abc import Callable
from dataclasses import replace

from scoring.cache import Snapshot
from scoring.delivery import Delivery
from scoring.features import FloatArray


def with_model(delivery: Delivery, score: Callable[[FloatArray], FloatArray]) -> None:
    """Let the model in use score in this way."""
    snapshot = delivery.cache.snapshot()
    models = {name: replace(model, score=score) for name, model in snapshot.models.items()}
    delivery.cache._snapshot = Snapshot(models, snapshot.states, snapshot.checked_at)


def a_bug(X: FloatArray) -> FloatArray:
    """Fail as no model should."""
    raise TypeError("a bug")
