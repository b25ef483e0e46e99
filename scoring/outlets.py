"""Delivers scored batches to one store: written, spilled, or held back."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from scoring.background import in_background
from scoring.breaker import Breaker
from scoring.errors import (
    ReadingRejectedError,
    SinkThrottledError,
    SinkUnavailableError,
    StorageUnavailableError,
)
from scoring.event_batch import EventBatch
from scoring.events import Rejected
from scoring.ledger import Ledger, StoreCounts
from scoring.scored import Refused, ScoredBatch, Sink
from scoring.spill import Spill, SpillFile
from scoring.spilled_batch import SpilledBatch

_log = logging.getLogger(__name__)
# In a row; one alone may be a batch that the store cannot take, and those behind it can be.
_FAILURES_TO_STOP = 3
TurnAway = Callable[[EventBatch, Sequence[Rejected]], None]


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of a batch at one store: scored = written + spilled + refused.

    Parameters
    ----------
    written, spilled : int
        Readings. What the store keeps none of, such as normal readings where it keeps anomalies
        alone, needs no writing and counts as written.
    refused : sequence of Refused
        Those that the store takes never.
    """

    written: int
    spilled: int
    refused: Sequence[Refused] = ()

    def counts(self) -> StoreCounts:
        """Return the numbers alone."""
        return StoreCounts(self.written, self.spilled, len(self.refused))


@dataclass(frozen=True, slots=True)
class Outlet:
    """A sink, its breaker, and what waits for it.

    Guarantee: when `deliver` returns, every reading is stored, refused, or whole in the spill.
    An outage is spilled, so that it holds up neither the partition nor other stores; a store
    that asks for patience is waited for, because Event Hubs is the better buffer. Whether a store
    is back is tried in the background with a batch that is spilled as well: writes repeat.

    Parameters
    ----------
    sink : Sink
    breaker : Breaker
    spill : Spill
    beside : callable
        Runs a trial without waiting for it.
    ledger : Ledger
        Counts failures, and what is drained.
    """

    sink: Sink
    breaker: Breaker
    spill: Spill
    beside: Callable[[Callable[[], None]], None] = in_background
    ledger: Ledger = field(default_factory=Ledger)

    def deliver(self, events: EventBatch, scored: Sequence[ScoredBatch]) -> Delivered:
        """Write a batch, or spill it.

        Raises
        ------
        SinkThrottledError
            If the store asks for patience: keep the batch.
        SpillFullError, StorageUnavailableError
            If the store is down and the batch cannot be spilled either: keep it.
        """
        n = sum(map(len, scored))
        wanted = [part for one in scored if len(part := self.sink.wanted(one))]
        if not wanted:  # what writes nothing tells nothing of the store
            return Delivered(n, 0)
        if not self.breaker.is_closed():
            self._begin_trial(wanted)
            return self._spilled(events, wanted, n)
        try:
            refused = self.sink.write(wanted)
        except SinkThrottledError as error:
            self.breaker.throttled(error.remedy)
            self._count("failures")
            raise
        except SinkUnavailableError as error:
            self._failed(error.remedy)
            _log.warning("%s; the batch is spilled", error)
            return self._spilled(events, wanted, n)
        except BaseException:
            self._failed()
            raise
        self.breaker.succeeded()
        return Delivered(n - len(refused), 0, refused)

    def _spilled(
        self, events: EventBatch, wanted: Sequence[ScoredBatch], n_scored: int
    ) -> Delivered:
        self.spill.put(self.sink.name, events, wanted)
        n_spilled = sum(map(len, wanted))
        return Delivered(n_scored - n_spilled, n_spilled)

    def _begin_trial(self, wanted: Sequence[ScoredBatch]) -> None:
        """Try the store where its pause is over. This goes before the spill: that may be full."""
        trial = self.breaker.claim_trial()
        if trial is None:
            return
        try:
            self.beside(partial(self._try, wanted, trial))
        except RuntimeError as error:  # no thread to be had
            _log.warning("a store cannot be tried now: %s", error)
            self._failed(trial=trial)

    def _try(self, wanted: Sequence[ScoredBatch], trial: int) -> None:
        """Find out whether the store is back. What it refuses is told when it is drained."""
        try:
            self.sink.write(wanted)
        except SinkThrottledError as error:
            self.breaker.throttled(error.remedy)
            self._count("failures")
        except SinkUnavailableError as error:
            self._failed(error.remedy, trial)
            _log.warning("%s; batches go on being spilled", error)
        except BaseException as error:  # noqa: BLE001  # nobody else hears of it
            self._failed(trial=trial)
            _log.error("trying a store failed", exc_info=error)
        else:
            self.breaker.succeeded()
            _log.info("sink %s is back; what is spilled is written back", self.sink.name)

    def _failed(self, remedy: str = "", trial: int | None = None) -> None:
        self.breaker.failed(remedy, trial)
        self._count("failures")

    def _count(self, what: str, n: int = 1) -> None:
        self.ledger.count(what, self.sink.name, n=n)

    def drain(
        self, seconds: float, turn_away: TurnAway, clock: Callable[[], float] = time.monotonic
    ) -> int:
        """Write back what waits, the oldest first, for a bounded time; return how many readings.

        One is begun however long listing took. What fails goes last next time, or first if in part.

        Parameters
        ----------
        seconds : float
            After which no further batch is begun.
        turn_away : callable
            Takes the readings that the store refuses; called before a batch goes.

        Raises
        ------
        StorageUnavailableError
            What is left waits.
        Exception
            What kept a batch from its place, when the others had their turn.
        """
        end = clock() + seconds
        drained = failures = 0
        fault: Exception | None = None
        for file, spilled, batch in self._waiting(lambda: clock() >= end):
            try:
                drained += self._write_back(file, spilled, batch, turn_away)
                failures = 0
            except StorageUnavailableError:
                raise
            except SinkUnavailableError as error:  # the store, or this batch alone
                _log.warning("%s; what is spilled waits", error)
                failures += 1
                if failures == _FAILURES_TO_STOP or isinstance(error, SinkThrottledError):
                    break
            except Exception as error:  # noqa: BLE001  # raised when those behind it had their turn
                _log.error("spilled batch %s cannot be written back", file.path, exc_info=error)
                fault = fault or error
        if fault is not None:
            raise fault
        return drained

    def _waiting(
        self, is_over: Callable[[], bool]
    ) -> Iterator[tuple[SpillFile, SpilledBatch, ScoredBatch]]:
        """Open what waits, batch by batch, until the time is over; one at least."""
        for file, spilled in self.spill.waiting(self.sink.name, is_over):
            try:
                batch = spilled.scored_batch()
            except (ReadingRejectedError, ValueError) as error:
                self.spill.leave(file, error)
            else:
                yield file, spilled, batch

    def _write_back(
        self, file: SpillFile, spilled: SpilledBatch, batch: ScoredBatch, turn_away: TurnAway
    ) -> int:
        try:
            refused = self._written(self.sink.wanted(batch))
            if refused:
                turn_away(spilled.events(), spilled.rejected(refused))
            self.spill.remove(file)
        except Exception as error:
            if isinstance(error, SinkUnavailableError) and error.is_begun:
                self.spill.keep_turn(file)  # later the sink would not know how far it came
            else:
                self.spill.put_off(file)
            raise
        self._count("drained", len(batch) - len(refused))
        self._count("refused", len(refused))
        return len(batch) - len(refused)

    def _written(self, wanted: ScoredBatch) -> Sequence[Refused]:
        if not len(wanted):  # the store keeps less than it did
            return ()
        try:
            refused = self.sink.write([wanted])
        except Exception:
            self._count("failures")
            raise
        self.breaker.succeeded()
        return refused
