"""Delivers one batch: what is scored to every sink, what is rejected to the dead letters."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from scoring.cache import ModelCache
from scoring.collisions import CollisionCounter
from scoring.dead_letters import DeadLetters
from scoring.distributions import score_bins
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
from scoring.ledger import BatchCounts, Ledger, ModelCounts
from scoring.letters import whole_events
from scoring.outlets import Delivered, Outlet
from scoring.pipeline import Outcome, Policy, score_batch
from scoring.scored import REFUSED_BY_STORE, ScoredBatch
from scoring.stages import StageClock
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

    def deliver(self, batch: EventBatch, stages: StageClock | None = None) -> BatchCounts:
        """Score, store and account for one batch.

        Parameters
        ----------
        batch : EventBatch
        stages : StageClock, optional
            Of what was done to the batch before; by default it begins here.

        Raises
        ------
        ModelUnavailableError, SinkThrottledError, SpillFullError, StorageUnavailableError
            If the data cannot be put anywhere yet: keep the batch and try again.
        """
        stages = stages or StageClock()
        try:
            counts = self._deliver(batch, stages)
        except Exception:  # of whatever kind: the batch comes again
            n = len(batch.bodies)
            self._account(BatchCounts(received=n, held=n, stages=stages.seconds()), batch)
            raise
        self._account(counts, batch)
        return counts

    def _deliver(self, batch: EventBatch, stages: StageClock) -> BatchCounts:
        try:
            outcome = score_batch(batch, self.cache.snapshot(), self.policy)
            stages.ended("score")
            self.dead_letters.write(batch, outcome.rejected, self.clock())
            delivered = self._store(batch, outcome.scored)
            self.turn_away(batch, _as_rejected(batch, delivered.values()))
            stages.ended("store")
        except _TRY_AGAIN:
            raise
        except Exception as error:  # noqa: BLE001  # a fault here must not block a partition
            n = len(batch.bodies)
            _log.error("scoring failed; %d events go to dead letters", n, exc_info=error)
            rejected = whole_events(batch, f"{type(error).__name__}: {error}"[:500])
            self.dead_letters.write(batch, rejected, self.clock())
            outcome, delivered = Outcome(len(rejected), [], rejected), {}
        return self._counts_or_fewer(batch, outcome, delivered, stages)

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
        """Write back what waits for each store, for this long at each; returns the readings.

        Raises
        ------
        Exception
            What kept a batch or a store from its turn, when the others had theirs.
        """
        drained, faults = 0, []
        for outlet in self.outlets:
            try:
                drained += outlet.drain(seconds, self.turn_away)
            except Exception as error:  # noqa: BLE001  # raised below
                faults.append(error)
        if faults:
            raise faults[0]
        return drained

    def _counts_or_fewer(
        self,
        batch: EventBatch,
        outcome: Outcome,
        delivered: Mapping[str, Delivered],
        stages: StageClock,
    ) -> BatchCounts:
        """Count. Everything is stored by now: a fault here must not bring the batch again."""
        try:
            return self._counts(batch, outcome, delivered, stages)
        except Exception as error:  # noqa: BLE001  # see above
            _log.error("the batch is done, but not counted in full", exc_info=error)
        return BatchCounts(
            received=outcome.received,
            scored=sum(map(len, outcome.scored)),
            rejected=Counter(one.reason for one in outcome.rejected),
            stores={name: one.counts() for name, one in delivered.items()},
            stages=stages.seconds(),
        )

    def _counts(
        self,
        batch: EventBatch,
        outcome: Outcome,
        delivered: Mapping[str, Delivered],
        stages: StageClock,
    ) -> BatchCounts:
        now_ns = int((self.clock() - EPOCH).total_seconds() * 1e9)
        models = {one.model: _model_counts(one) for one in outcome.scored}
        return BatchCounts(
            received=outcome.received,
            scored=sum(map(len, outcome.scored)),
            rejected=Counter(one.reason for one in outcome.rejected),
            anomalies=sum(model.anomalies for model in models.values()),
            collided=sum(map(self.collisions.count, outcome.scored)),
            stores={name: one.counts() for name, one in delivered.items()},
            # a clock that is behind the hub's must not make the lag negative
            lag_ms=np.maximum(now_ns - np.array(batch.enqueued_ns, np.int64), 0) / 1e6,
            models=models,
            stages=stages.seconds(),
        )

    def _account(self, counts: BatchCounts, batch: EventBatch) -> None:
        """Count and tell. Everything is stored by now: a fault here must not bring it again."""
        try:
            self._tell(counts, batch)
        except Exception as error:  # noqa: BLE001  # see above
            _log.error("the batch is done, but not accounted for", exc_info=error)

    def _tell(self, counts: BatchCounts, batch: EventBatch) -> None:
        self.ledger.add(counts)
        _log_counts(counts, batch)
        snapshot = self.cache.latest()
        self.status.batch_ended(
            self.ledger,
            model_statuses(snapshot, self.cache.now()),
            {outlet.sink.name: outlet.breaker.state() for outlet in self.outlets},
            {outlet.sink.name: outlet.breaker.remedy() for outlet in self.outlets},
        )


def _model_counts(scored: ScoredBatch) -> ModelCounts:
    return ModelCounts(
        scored.model_version,
        len(scored),
        0 if scored.is_anomaly is None else int(np.count_nonzero(scored.is_anomaly)),
        None if scored.anomaly_score is None else score_bins(scored.anomaly_score),
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


def _log_counts(counts: BatchCounts, batch: EventBatch) -> None:
    _log.info(
        "batch of %s/%s: received=%d scored=%d rejected=%d held=%d anomalies=%d in %.1f ms%s",
        batch.hub,
        batch.partition,
        counts.received,
        counts.scored,
        sum(counts.rejected.values()),
        counts.held,
        counts.anomalies,
        counts.stages["whole"] * 1e3,
        "".join(
            f"; {name}: written={store.written} spilled={store.spilled} refused={store.refused}"
            for name, store in counts.stores.items()
        ),
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
