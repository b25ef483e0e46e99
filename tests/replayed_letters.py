"""Dead letters to replay, left by an app with a mistake in its settings."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from replay.dead_letters import Replay, Selection
from scoring.event_batch import EventBatch
from scoring.scored import Refused, ScoredBatch, Sink
from tests.deployments import Deployment, outlets
from tests.event_batches import ENQUEUED_NS, body, event_batch

Deploy = Callable[..., Deployment]
NO_ROUTE = "kiln-*=default"
WITHOUT_TIME = body(7, timestamp=None).replace(b'"timestamp": null, ', b"")
WITHOUT_ID = body(8).replace(b'"sensor_id": "pump-1", ', b"")
# Every way in which an identity comes about.
GOOD = [
    body(11),
    WITHOUT_TIME,
    WITHOUT_ID,
    b"[%b, %b, %b]" % (WITHOUT_TIME, body(2), WITHOUT_TIME),
    b"%b\n%b\n" % (WITHOUT_TIME, WITHOUT_ID),
    body(3, timestamp="2026-05-01T12:00:00.123456789Z"),
]


def events(hub: str, bodies: Sequence[bytes], first: int = 1_998) -> EventBatch:
    """Make events with a key, a device or neither, each enqueued at a time of its own."""
    n = len(bodies)
    return replace(
        event_batch(bodies, hub=hub, partition="3", first=first),
        enqueued_ns=[ENQUEUED_NS + 1_000 * event for event in range(n)],
        partition_keys=[("pump-7", None, None)[event % 3] for event in range(n)],
        device_ids=[("device-1", "device-2", None)[event % 3] for event in range(n)],
    )


def replayed(deployment: Deployment, **options: Any) -> Replay:
    """Replay the letters of a deployment's own hub."""
    selection = Selection(hubs=frozenset([deployment.hub]), sensor_id_keys=("sensor_id",))
    work = Replay(deployment.app.delivery, options.pop("selection", selection), **options)
    work.run()
    return work


def with_sinks(deployment: Deployment, *sinks: Sink) -> Deployment:
    """Store into these sinks instead."""
    delivery = replace(deployment.app.delivery, outlets=outlets(deployment, *sinks))
    return replace(deployment, app=replace(deployment.app, delivery=delivery))


class ScriptedSink:
    """Keeps what is written; raises each of `errors` first, and refuses readings by place."""

    name = "scripted"

    def __init__(
        self, errors: Sequence[Exception] = (), refuses: Sequence[tuple[int, int]] = ()
    ) -> None:
        self.errors = list(errors)
        self.refuses = set(refuses)
        self.written: set[tuple[int, int]] = set()

    def write(self, batches: Sequence[ScoredBatch]) -> Sequence[Refused]:
        """Keep the places of the readings."""
        if self.errors:
            raise self.errors.pop(0)
        refused = []
        for one in batches:
            places = zip(one.sequence_numbers.tolist(), one.indexes.tolist(), strict=True)
            for row, place in enumerate(places):
                if place in self.refuses:
                    refused.append(Refused(one, row, "too old"))
                else:
                    self.written.add(place)
        return refused
