"""Batches to deliver to sinks that fail as they are told."""

from collections.abc import Sequence
from dataclasses import replace

from scoring.delivery import Delivery
from scoring.event_batch import EventBatch
from scoring.scored import Refused, ScoredBatch
from tests.deployments import Deployment, outlets
from tests.event_batches import body, event_batch


class ListSink:
    """Keeps what is written; fails first with each of `errors` in turn."""

    def __init__(self, name: str = "list", errors: Sequence[Exception] = ()) -> None:
        self.name = name
        self.written: list[ScoredBatch] = []
        self._errors = list(errors)
        self.refuses: Sequence[int] = ()

    def wanted(self, batch: ScoredBatch) -> ScoredBatch:
        """Return all of it."""
        return batch

    def write(self, batches: Sequence[ScoredBatch]) -> Sequence[Refused]:
        """Keep the batches."""
        if self._errors:
            raise self._errors.pop(0)
        self.written += batches
        return [Refused(one, row, "too old") for one in batches for row in self.refuses]


def batch_for(deployment: Deployment, bodies: Sequence[bytes], first: int = 0) -> EventBatch:
    """Make a batch on the deployment's own hub."""
    return event_batch(bodies, hub=deployment.hub, first=first)


def with_sinks(deployment: Deployment, *sinks: ListSink) -> Delivery:
    """Deliver to these sinks instead."""
    return replace(deployment.app.delivery, outlets=outlets(deployment, *sinks))


BODIES = [body(0), b"not JSON", b"[%b,%b]" % (body(1), body(2)), b"\xff"]
