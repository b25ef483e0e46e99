"""Delivers scored batches to one store: written, spilled, or held back."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from scoring.breaker import Breaker
from scoring.errors import ReadingRejectedError, SinkThrottledError, SinkUnavailableError
from scoring.event_batch import EventBatch
from scoring.events import Rejected
from scoring.ledger import Ledger, StoreCounts
from scoring.scored import Refused, ScoredBatch, Sink
from scoring.spill import Spill, SpilledBatch
from scoring.storage import Entry

_log = logging.getLogger(__name__)


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


def in_background(work: Callable[[], None]) -> None:
    """Do something beside the batch; it ends with the process."""
    threading.Thread(target=work, name="store-trial", daemon=True).start()


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
        if not self.breaker.is_closed():
            if self.breaker.claims_trial():
                self.beside(partial(self._try, scored))
            return self._spilled(events, scored)
        try:
            refused = self.sink.write(scored)
        except SinkThrottledError as error:
            self.breaker.throttled(error.remedy)
            self._count("failures")
            raise
        except SinkUnavailableError as error:
            self._failed(error.remedy)
            _log.warning("%s; the batch is spilled", error)
            return self._spilled(events, scored)
        except BaseException:
            self._failed()
            raise
        self.breaker.succeeded()
        return Delivered(sum(map(len, scored)) - len(refused), 0, refused)

    def _try(self, scored: Sequence[ScoredBatch]) -> None:
        """Find out whether the store is back. What it refuses is told when it is drained."""
        try:
            self.sink.write(scored)
        except SinkThrottledError as error:
            self.breaker.throttled(error.remedy)
            self._count("failures")
        except SinkUnavailableError as error:
            self._failed(error.remedy)
            _log.warning("%s; batches go on being spilled", error)
        except BaseException as error:  # noqa: BLE001  # nobody else hears of it
            self._failed()
            _log.error("trying a store failed", exc_info=error)
        else:
            self.breaker.succeeded()
            _log.info("sink %s is back; what is spilled is written back", self.sink.name)

    def _failed(self, remedy: str = "") -> None:
        self.breaker.failed(remedy)
        self._count("failures")

    def _count(self, what: str, n: int = 1) -> None:
        self.ledger.count(what, self.sink.name, n=n)

    def _spilled(self, events: EventBatch, scored: Sequence[ScoredBatch]) -> Delivered:
        wanted = [part for one in scored if len(part := self.sink.wanted(one))]
        self.spill.put(self.sink.name, events, wanted)
        n, n_spilled = sum(map(len, scored)), sum(map(len, wanted))
        return Delivered(n - n_spilled, n_spilled)

    def drain(
        self,
        seconds: float,
        turn_away: Callable[[EventBatch, Sequence[Rejected]], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> int:
        """Write back what waits, the oldest first, for a bounded time.

        Parameters
        ----------
        seconds : float
            After which no further batch is begun.
        turn_away : callable
            Takes the readings that the store refuses; called before a batch goes.

        Returns
        -------
        int
            How many readings were written back.
        """
        end = clock() + seconds
        drained = 0
        for entry, spilled in self.spill.waiting(self.sink.name):
            if clock() >= end:
                break
            batch = _readable(entry, spilled)
            if batch is None:
                continue
            try:
                refused = self.sink.write([batch])
            except SinkUnavailableError as error:
                self._count("failures")
                _log.warning("%s; what is spilled waits", error)
                break
            self.breaker.succeeded()
            if refused:
                turn_away(spilled.events(), spilled.rejected(refused))
            self.spill.remove(entry)
            self._count("drained", len(batch) - len(refused))
            self._count("refused", len(refused))
            drained += len(batch) - len(refused)
        return drained


def _readable(entry: Entry, spilled: SpilledBatch) -> ScoredBatch | None:
    """Open a spilled batch; one that was damaged stays, and what is behind it goes on."""
    try:
        return spilled.scored_batch()
    except (ReadingRejectedError, ValueError) as error:
        _log.error("spilled batch %s cannot be read and is left: %s", entry.path, error)
        return None
