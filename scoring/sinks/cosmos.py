"""Stores scores in Azure Cosmos DB, one document a reading."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

from scoring.cosmos_settings import CosmosSettings
from scoring.errors import SinkThrottledError
from scoring.scored import Refused, ScoredBatch
from scoring.sinks.cosmos_account import SINK_NAME, CosmosAccount
from scoring.sinks.cosmos_answers import (
    UNREADABLE,
    WAITED_IN_VAIN,
    DeniedError,
    OddAnswerError,
    Outcome,
    read_error,
    read_fault,
    read_success,
)
from scoring.sinks.cosmos_documents import Group, Item, anomalous_rows, groups
from scoring.sinks.cosmos_marks import StoredMarks
from scoring.sinks.cosmos_silence import Silence

if TYPE_CHECKING:
    from azure.cosmos import ContainerProxy

# Requests at once, in this process: as many connections as the client keeps open.
_CONCURRENCY = 10
# Rounds without any progress, and their time; beyond either the caller keeps the batch. A silent
# service is given up after the first round.
_MOST_STALLED_ROUNDS = 3
_LONGEST_STALL_SECONDS = 15.0
_FIRST_WAIT_SECONDS = 0.5
# Of one write, with progress. The Functions host ends an invocation, and its process, after ten
# minutes; four leave time for another store and for the spill.
_LONGEST_WRITE_SECONDS = 240.0
_NOT_FOUND = 404


class CosmosSink:
    """One document an identity in a Cosmos DB container.

    Delivery as in `Sink`: the id of a document and its partition key are the identity, so a
    document written again replaces itself. Documents of one sensor go in transactional batches;
    one that the service refuses is taken out, and its neighbours are sent again. Throttling and
    outages are tried again within bounds, with jitter and as late as the service asks. While a
    throttled service takes some documents, `write` goes on for up to four minutes; without any
    progress it ends after three rounds or about twenty seconds, and after one round in which it
    waits in vain for every answer; writes at the same time wait together, and not in turn. What a
    throttled write has stored is remembered when it is given up; the next one of the same readings
    goes on there.

    Parameters
    ----------
    settings : CosmosSettings
    sensor_id_keys : sequence of str
        Keys that may hold a sensor's id; the one that does is not kept in `extra`.
    sleep : callable
        Waits for seconds.
    clock : callable
        Monotonic seconds.
    """

    name = SINK_NAME

    def __init__(
        self,
        settings: CosmosSettings,
        sensor_id_keys: Sequence[str],
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._only_anomalies = settings.write == "anomalies"
        self._sensor_id_keys = tuple(sensor_id_keys)
        self._sleep = sleep
        self._clock = clock
        self._marks = StoredMarks(clock)
        self._account = CosmosAccount(settings, clock)
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def wanted(self, batch: ScoredBatch) -> ScoredBatch:
        """Return all of it, or its anomalies."""
        return batch.take(anomalous_rows(batch).tolist()) if self._only_anomalies else batch

    def write(self, batches: Sequence[ScoredBatch]) -> Sequence[Refused]:
        """Store every reading, or every anomaly; returns those that the service refuses.

        Raises
        ------
        SinkThrottledError
            If the service answers, but asks for more patience than a batch has.
        SinkUnavailableError
            Naming the setting, or the role, to check; or if four minutes were not enough.
        """
        whole = groups(batches, self._sensor_id_keys, only_anomalies=self._only_anomalies)
        left = self._marks.unmarked(whole)
        n_before = _n_items(left)
        refused: list[Refused] = []
        stalled, since = 0, self._clock()
        end_s = since + _LONGEST_WRITE_SECONDS
        while left:
            if self._clock() >= end_s:
                self._marks.mark(_stored(whole, left, refused))
                raise self._account.too_slow(is_begun=_n_items(left) < n_before)
            began_s = self._clock()
            outcomes = self._round(left, end_s)
            left = [group for one in outcomes for group in one.left]
            refused += [one for outcome in outcomes for one in outcome.refused]
            stalled += 1
            if any(one.has_progress for one in outcomes):
                stalled, since = 0, self._clock()
            faulty = [one for one in outcomes if one.fault]
            if faulty:
                try:
                    self._wait(faulty, stalled, self._clock() - since, began_s)
                except SinkThrottledError as error:
                    self._marks.mark(_stored(whole, left, refused))
                    error.is_begun = _n_items(left) < n_before
                    raise
        self._marks.forget(whole)
        return refused

    def close(self) -> None:
        """Let go of connections and threads; the next write makes new ones."""
        with self._lock:
            if self._pool is not None:
                self._pool.shutdown()
            self._pool = None
        self._marks.clear()
        self._account.close()

    def _wait(self, faulty: Sequence[Outcome], stalled: int, spent: float, began_s: float) -> None:
        """Wait before the next round, or raise where patience ends."""
        asked = max(one.asked_seconds for one in faulty)
        backoff = _FIRST_WAIT_SECONDS * 2 ** max(stalled - 1, 0)
        # a service that takes some and says when it takes more is asked again just then
        least = asked if asked and not stalled else max(asked, backoff)
        seconds = least * random.uniform(1.0, 1.5)
        faults = [one.fault for one in faulty]
        is_too_long = spent + seconds > _LONGEST_STALL_SECONDS
        # one silence is enough: the batch is spilled, and the service is tried beside it
        is_silent = self._account.is_silent(faults, spent, began_s)
        if stalled >= _MOST_STALLED_ROUNDS or is_too_long or is_silent:
            raise self._account.exhausted(faults)
        self._sleep(seconds)
        if self._account.is_silent(faults, 0.0, began_s):  # another write found out meanwhile
            raise self._account.exhausted(faults)

    def _round(self, left: Sequence[Group], end_s: float) -> Sequence[Outcome]:
        """Send every group once; after a fault, or too late, those not yet sent are left."""
        from azure.core.exceptions import AzureError  # noqa: PLC0415  # with the client

        try:
            try:
                container = self._account.container()
            except AzureError as error:
                return [read_fault(error, left)]
            return self._send_all(container, left, end_s)
        except DeniedError as error:
            if error.status == _NOT_FOUND:
                self._account.forget_container()
                self._marks.clear()
            raise self._account.denied(error.status) from error
        except OddAnswerError as error:
            self._account.forget_container()  # what the client knows of it may be as odd
            raise self._account.not_cosmos() from error

    def _send_all(
        self, container: "ContainerProxy", left: Sequence[Group], end_s: float
    ) -> Sequence[Outcome]:
        stop, silence, queued_s = threading.Event(), self._account.silence, self._clock()

        def send(group: Group) -> Outcome:
            if self._clock() >= end_s:
                stop.set()
            if stop.is_set():
                return Outcome([group], has_progress=False)
            if silence.was_found_after(queued_s):  # while this one waited for its turn
                stop.set()
                return Outcome([group], has_progress=False, fault=WAITED_IN_VAIN)
            return _send(container, group, stop, silence, self._clock())

        if len(left) == 1:
            return [send(left[0])]
        with self._lock:
            self._pool = self._pool or ThreadPoolExecutor(_CONCURRENCY, "cosmos-sink")
            try:
                futures = [self._pool.submit(send, one) for one in left]
            except RuntimeError as error:  # the process ends: no thread may begin
                stop.set()
                raise self._account.ending() from error
        wait(futures)
        return [future.result() for future in futures]


def _n_items(some: Sequence[Group]) -> int:
    return sum(len(group.items) for group in some)


def _stored(
    whole: Sequence[Group], left: Sequence[Group], refused: Sequence[Refused]
) -> Iterator[Item]:
    """Yield what is neither left nor refused."""
    others = {(id(one.batch), one.row) for one in refused}
    others.update((id(one.batch), one.row) for group in left for one in group.items)
    for group in whole:
        for item in group.items:
            if (id(item.batch), item.row) not in others:
                yield item


def _send(
    container: "ContainerProxy",
    group: Group,
    stop: threading.Event,
    silence: Silence,
    now_s: float,
) -> Outcome:
    """Send one group; what is no success stops the round."""
    outcome: Outcome | None = None
    try:
        outcome = _ask(container, group, silence, now_s)
    finally:  # what is raised stops the others too
        if outcome is None or outcome.fault:
            stop.set()
    return outcome


def _ask(container: "ContainerProxy", group: Group, silence: Silence, now_s: float) -> Outcome:
    """Send one group, and read what comes."""
    from azure.core.exceptions import (  # noqa: PLC0415  # with the client
        AzureError,
        ClientAuthenticationError,
    )

    operations = [("upsert", (item.document,)) for item in group.items]
    came: list[Any] = []  # the answers, as they are before the client reads them
    try:
        answers = container.execute_item_batch(
            operations, partition_key=group.sensor_id, raw_response_hook=came.append
        )
        return read_success(answers, group)
    except AzureError as error:
        if not came and not isinstance(error, ClientAuthenticationError):  # no token to ask with
            silence.unanswered(now_s)
        return read_error(error, group)
    except UNREADABLE as error:
        if not came:  # nothing came that could be at fault: a bug
            raise
        raise OddAnswerError from error
    finally:
        if came:
            silence.answered()
