"""Delivers scored batches to one store: written, spilled, or held back."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scoring.breaker import Breaker
from scoring.errors import ReadingRejectedError, SinkThrottledError, SinkUnavailableError
from scoring.event_batch import EventBatch
from scoring.events import Rejected
from scoring.ledger import StoreCounts
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
        Readings.
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
    that asks for patience is waited for, because Event Hubs is the better buffer.
    """

    sink: Sink
    breaker: Breaker
    spill: Spill

    def deliver(self, events: EventBatch, scored: Sequence[ScoredBatch]) -> Delivered:
        """Write a batch, or spill it.

        Raises
        ------
        SinkThrottledError
            If the store asks for patience: keep the batch.
        SpillFullError, StorageUnavailableError
            If the store is down and the batch cannot be spilled either: keep it.
        """
        if not self.breaker.may_try():
            return self._spilled(events, scored)
        try:
            refused = self.sink.write(scored)
        except SinkThrottledError:
            self.breaker.succeeded()  # it is there
            raise
        except SinkUnavailableError as error:
            self.breaker.failed()
            _log.warning("%s; the batch is spilled", error)
            return self._spilled(events, scored)
        except BaseException:
            self.breaker.failed()
            raise
        self.breaker.succeeded()
        return Delivered(sum(map(len, scored)) - len(refused), 0, refused)

    def _spilled(self, events: EventBatch, scored: Sequence[ScoredBatch]) -> Delivered:
        self.spill.put(self.sink.name, events, scored)
        return Delivered(0, sum(map(len, scored)))

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
                _log.warning("%s; what is spilled waits", error)
                break
            if refused:
                turn_away(spilled.events(), spilled.rejected(refused))
            self.spill.remove(entry)
            drained += len(batch) - len(refused)
        return drained


def _readable(entry: Entry, spilled: SpilledBatch) -> ScoredBatch | None:
    """Open a spilled batch; one that was damaged stays, and what is behind it goes on."""
    try:
        return spilled.scored_batch()
    except (ReadingRejectedError, ValueError) as error:
        _log.error("spilled batch %s cannot be read and is left: %s", entry.path, error)
        return None
