"""Delivers one batch: what is scored to every sink, what is rejected to the dead letters."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from scoring.cache import ModelCache
from scoring.collisions import CollisionCounter
from scoring.dead_letters import DeadLetters, whole_events
from scoring.errors import (
    ModelUnavailableError,
    SinkThrottledError,
    SpillFullError,
    StorageUnavailableError,
)
from scoring.event_batch import EventBatch
from scoring.event_time import EPOCH
from scoring.events import Rejected
from scoring.json_bodies import raw_readings
from scoring.ledger import BatchCounts, Ledger
from scoring.outlets import Delivered, Outlet
from scoring.pipeline import Outcome, Policy, score_batch
from scoring.scored import REFUSED_BY_STORE, ScoredBatch
from scoring.status import StatusBoard, model_statuses

_log = logging.getLogger(__name__)
# May heal: the trigger's retry policy keeps the batch meanwhile.
_TRY_AGAIN = (
    ModelUnavailableError,
    SinkThrottledError,
    SpillFullError,
    StorageUnavailableError,
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """Everything that a batch passes through; built once a process by `scoring.app`.

    Guarantee: when `deliver` returns, every reading of the batch is at every store written,
    spilled or refused, and what is rejected or refused is kept as a dead letter. When it raises,
    the batch has to come again, and nothing of what was written already is then written twice.
    """

    cache: ModelCache
    policy: Policy
    outlets: Sequence[Outlet]
    dead_letters: DeadLetters
    ledger: Ledger
    collisions: CollisionCounter
    status: StatusBoard
    clock: Callable[[], datetime]

    def deliver(self, batch: EventBatch) -> BatchCounts:
        """Score, store and account for one batch.

        Raises
        ------
        ModelUnavailableError, SinkThrottledError, SpillFullError, StorageUnavailableError
            If the data cannot be put anywhere yet: keep the batch and try again.
        """
        started = time.perf_counter()
        try:
            counts = self._deliver(batch)
        except _TRY_AGAIN:
            held = BatchCounts(received=len(batch.bodies), held=len(batch.bodies))
            self._account(held, batch, started)
            raise
        self._account(counts, batch, started)
        return counts

    def _deliver(self, batch: EventBatch) -> BatchCounts:
        try:
            outcome = score_batch(batch, self.cache.snapshot(), self.policy)
            self.dead_letters.write(batch, outcome.rejected, self.clock())
            delivered = self._store(batch, outcome.scored)
            self.turn_away(batch, _as_rejected(batch, delivered.values()))
        except _TRY_AGAIN:
            raise
        except Exception as error:  # noqa: BLE001  # a fault here must not block a partition
            n = len(batch.bodies)
            _log.error("scoring failed; %d events go to dead letters", n, exc_info=error)
            rejected = whole_events(batch, f"{type(error).__name__}: {error}"[:500])
            self.dead_letters.write(batch, rejected, self.clock())
            outcome, delivered = Outcome(len(rejected), [], rejected), {}
        return self._counts(batch, outcome, delivered)

    def _store(self, batch: EventBatch, scored: Sequence[ScoredBatch]) -> dict[str, Delivered]:
        """Write to every store; what befalls one does not keep the others from their part."""
        delivered: dict[str, Delivered] = {}
        faults: list[Exception] = []
        for outlet in self.outlets if scored else ():
            try:
                delivered[outlet.sink.name] = outlet.deliver(batch, scored)
            except Exception as error:  # noqa: BLE001  # raised below, when all had their turn
                faults.append(error)
        if faults:  # what may heal goes first: the batch comes again, and meets a bug again
            raise min(faults, key=lambda fault: not isinstance(fault, _TRY_AGAIN))
        return delivered

    def turn_away(self, batch: EventBatch, rejected: Sequence[Rejected]) -> None:
        """Keep what a store refuses for ever."""
        if rejected:
            _log.error("a store refuses %d readings: %s", len(rejected), rejected[0].message)
        self.dead_letters.write(batch, rejected, self.clock())

    def drain_spill(self, seconds: float) -> int:
        """Write back what waits for each store, for this long at each; returns the readings."""
        return sum(outlet.drain(seconds, self.turn_away) for outlet in self.outlets)

    def _counts(
        self, batch: EventBatch, outcome: Outcome, delivered: Mapping[str, Delivered]
    ) -> BatchCounts:
        now_ns = int((self.clock() - EPOCH).total_seconds() * 1e9)
        return BatchCounts(
            received=outcome.received,
            scored=sum(map(len, outcome.scored)),
            rejected=Counter(one.reason for one in outcome.rejected),
            anomalies=sum(
                int(one.is_anomaly.sum()) for one in outcome.scored if one.is_anomaly is not None
            ),
            collided=sum(map(self.collisions.count, outcome.scored)),
            stores={name: one.counts() for name, one in delivered.items()},
            lag_ms=[(now_ns - enqueued) / 1e6 for enqueued in batch.enqueued_ns],
        )

    def _account(self, counts: BatchCounts, batch: EventBatch, started: float) -> None:
        """Count and tell. Everything is stored by now: a fault here must not bring it again."""
        try:
            self._tell(counts, batch, started)
        except Exception as error:  # noqa: BLE001  # see above
            _log.error("the batch is done, but not accounted for", exc_info=error)

    def _tell(self, counts: BatchCounts, batch: EventBatch, started: float) -> None:
        self.ledger.add(counts)
        _log_counts(counts, batch, (time.perf_counter() - started) * 1e3)
        snapshot = self.cache.latest()
        self.status.batch_ended(
            self.ledger,
            model_statuses(snapshot, self.cache.now()),
            {outlet.sink.name: outlet.breaker.state() for outlet in self.outlets},
        )


def _as_rejected(batch: EventBatch, delivered: Iterable[Delivered]) -> list[Rejected]:
    """Turn away readings that a store will never take; they are scored all the same."""
    refused = [one for delivery in delivered for one in delivery.refused]
    if not refused:  # as nearly always: no map of the whole batch for it
        return []
    events = {number: event for event, number in enumerate(batch.sequence_numbers)}
    places = [
        (events[int(one.batch.sequence_numbers[one.row])], int(one.batch.indexes[one.row]))
        for one in refused
    ]
    raws = raw_readings(
        (batch.bodies[event], index - batch.first_index(event)) for event, index in places
    )
    return [
        Rejected(event, index, raw, REFUSED_BY_STORE, one.message)
        for (event, index), raw, one in zip(places, raws, refused, strict=True)
    ]


def _log_counts(counts: BatchCounts, batch: EventBatch, duration_ms: float) -> None:
    _log.info(
        "batch of %s/%s: received=%d scored=%d rejected=%d held=%d anomalies=%d in %.1f ms",
        batch.hub,
        batch.partition,
        counts.received,
        counts.scored,
        sum(counts.rejected.values()),
        counts.held,
        counts.anomalies,
        duration_ms,
    )
    for reason, n in counts.rejected.items():
        _log.warning("rejected %d readings: %s", n, reason)
    if counts.collided:
        _log.warning(
            "%d readings share sensor and time with another and replace it;"
            " TIME_TIE_BREAK=sequence keeps them apart",
            counts.collided,
        )
    if counts.unaccounted():
        _log.error("%d readings are unaccounted for", counts.unaccounted())
