"""Feeds an Event Hubs function from the log, with the habits of the real trigger."""

import logging
import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from local.batch import decode_batch
from local.functions import EventHubFunction
from local.invocation import Invoker, RetryContext, RpcException
from local.log import EventLog, StoredEvent

IDLE_WAIT_S = 0.05  # how long an empty partition is left alone; half of it is the mean latency
LOG_FAULT_WAIT_S = 1.0  # a full disk does not heal faster

_logger = logging.getLogger("local.trigger")


@dataclass(slots=True)
class PartitionFeed:
    """Delivers one partition's events in order, one batch at a time.

    The checkpoint moves after a batch once its retry policy has ended, whether or not the
    function raised; without a policy that is after the first attempt. A batch that is in its
    retries when the process ends is not checkpointed, and comes again. So each event is
    delivered at least once, and a function that raises without a policy loses its batch, as
    on Azure.

    Parameters
    ----------
    max_batch_size : int
        ``maxEventBatchSize`` of host.json.
    from_end : bool
        Where a consumer group without a checkpoint begins.
    stopping : Event
        Ends waits; no further batch is begun.
    """

    function: EventHubFunction
    log: EventLog
    partition: int
    invoker: Invoker
    max_batch_size: int
    from_end: bool
    stopping: threading.Event
    random: Random = field(default_factory=Random)

    def run(self) -> None:
        """Deliver until `stopping` is set."""
        while not self.stopping.is_set():
            try:
                delivered = self.deliver_next()
            except sqlite3.Error:
                _logger.exception(
                    "partition %d: the log cannot be used; trying again", self.partition
                )
                self.stopping.wait(LOG_FAULT_WAIT_S)
                continue
            if not delivered:
                self.stopping.wait(IDLE_WAIT_S)

    def deliver_next(self) -> int:
        """Deliver the next batch; return how many events are done with."""
        events = self.log.read(self.partition, self._position(), self.max_batch_size)
        if not events or not self._deliver(events):
            return 0
        self._set_checkpoint(events[-1].sequence_number)
        return len(events)

    def _position(self) -> int:
        position = self.log.checkpoint(self.function.consumer_group, self.partition)
        if position is None:
            position = self.log.end_positions()[self.partition] if self.from_end else -1
            self._set_checkpoint(position)
        return position

    def _set_checkpoint(self, sequence_number: int) -> None:
        self.log.set_checkpoint(self.function.consumer_group, self.partition, sequence_number)

    def _deliver(self, events: Sequence[StoredEvent]) -> bool:
        """Run the function until its retry policy has ended; false if stopped before that."""
        policy = self.function.retry
        error: Exception | None = None
        retries = 0
        while True:
            error = self._attempt(events, retries, error)
            if error is None or policy is None or not policy.allows(retries):
                return True
            if self.stopping.wait(policy.delay_s(retries, self.random)):
                return False
            retries += 1

    def _attempt(
        self, events: Sequence[StoredEvent], retries: int, before: Exception | None
    ) -> Exception | None:
        policy, name = self.function.retry, self.function.target.name
        context = RetryContext(
            retry_count=retries,
            max_retry_count=policy.max_retry_count if policy else 0,
            exception=RpcException.of(before) if before else None,
        )
        try:
            batch = decode_batch(self.function, self.partition, events)
            self.invoker.invoke(self.function.target, batch, context)
        except Exception as error:
            first, last = events[0].sequence_number, events[-1].sequence_number
            where = f"partition {self.partition}, events {first} to {last}, retry {retries}"
            _logger.exception("%s failed: %s", name, where)
            return error
        return None
