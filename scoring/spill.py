"""Keeps scored batches in storage while a store is down, and writes them back in order."""

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from scoring.background import in_background
from scoring.errors import StorageUnavailableError
from scoring.event_batch import EventBatch
from scoring.scored import ScoredBatch
from scoring.spill_depth import DepthGauge, SpillDepth
from scoring.spill_room import SpillRoom
from scoring.spill_turns import SpillTurns
from scoring.spilled_batch import SpilledBatch
from scoring.storage import ConditionNotMetError, Container, NotRead

CONTAINER = "spill"
_log = logging.getLogger(__name__)
# How long a listing for health counts at least: anyone may ask.
_COUNTED_FOR = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class SpillFile:
    """One spilled batch in storage, as it was read.

    Parameters
    ----------
    path, etag : str
    size : int
        Bytes.
    """

    path: str
    etag: str
    size: int


class Spill:
    """Scored batches that a store could not take.

    Guarantee: a batch is whole in storage when `put` returns, and goes only when `remove` is
    called after it was written back, and only as it was read. Its name follows from its readings
    and its model, so what comes again takes its own place, and nothing else does; names sort by
    the time at which the hub took the events.
    What lies here is bounded by `max_mb`, as far as processes know of each other (`SpillRoom`);
    past it `put` raises `SpillFullError`, and the caller keeps the batch, so that Event Hubs is
    the buffer again.

    Parameters
    ----------
    container : Container
    max_mb : float
        In units of 1,000,000 bytes.
    clock : callable
        UTC.
    beside : callable
        Runs work without waiting for it.
    """

    def __init__(
        self,
        container: Container,
        max_mb: float,
        clock: Callable[[], datetime],
        beside: Callable[[Callable[[], None]], None] = in_background,
    ) -> None:
        self._container = container
        self._room = SpillRoom(container, max_mb, clock, beside)
        self._turns = SpillTurns()
        self._told: set[tuple[str, str]] = set()  # path and ETag of what cannot be read
        self._all = DepthGauge(container, "", clock, _COUNTED_FOR)
        self._clock = clock
        self._of_sinks: dict[str, DepthGauge] = {}

    def put(self, sink: str, events: EventBatch, scored: Sequence[ScoredBatch]) -> None:
        """Keep batches for a sink; raises `SpillFullError` or `StorageUnavailableError`."""
        for one in scored:
            data = msgspec.msgpack.encode(SpilledBatch.of(events, one))
            path = f"{sink}/{_name(events, one)}"
            self._room.claim(path, len(data))
            self._container.put(path, data)

    def waiting(
        self, sink: str, is_over: Callable[[], bool] = lambda: False
    ) -> Iterator[tuple[SpillFile, SpilledBatch]]:
        """Read what waits for a sink, the oldest first, what was put off last.

        Nothing is listed ahead of what is read: of a long listing the first comes at once. It is
        read even if `is_over` by then, and no other after that.
        """
        prefix = f"{sink}/"
        listed = (entry.path for entry in self._container.list(prefix))
        for n_read, path in enumerate(self._turns.in_turn(prefix, listed)):
            if n_read and is_over():
                return
            found = self._read(path)
            if found is not None:
                yield found

    def _read(self, path: str) -> tuple[SpillFile, SpilledBatch] | None:
        try:
            found = self._container.get(path)
        except StorageUnavailableError:
            self._turns.put_off(path)  # it may be this file alone
            raise
        if isinstance(found, NotRead):  # another process was faster
            self._turns.end(path)
            return None
        file = SpillFile(path, found.etag, len(found.data))
        try:
            return file, msgspec.msgpack.decode(found.data, type=SpilledBatch)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            self.leave(file, error)
            return None

    def put_off(self, file: SpillFile) -> None:
        """Let the others have their turn before this one, from the next run on."""
        self._turns.put_off(file.path)

    def keep_turn(self, file: SpillFile) -> None:
        """Let this one have its turn as if it had never been put off."""
        self._turns.end(file.path)

    def leave(self, file: SpillFile, error: Exception) -> None:
        """Leave a file that cannot be read to a person, who is told once; the others go first."""
        self.put_off(file)
        if (file.path, file.etag) in self._told:
            return
        self._told.add((file.path, file.etag))
        _log.error(
            "spilled batch %s/%s cannot be read and is left: %s; mend the file, or move it"
            " elsewhere: it counts against SPILL_MAX_MB",
            self._container.name,
            file.path,
            error,
        )

    def remove(self, file: SpillFile) -> None:
        """Let go of a batch that was written back; one that was put anew meanwhile stays."""
        self._turns.end(file.path)
        try:
            self._container.delete(file.path, if_etag=file.etag)
        except ConditionNotMetError:
            _log.info("spilled batch %s was put anew; it is written back later", file.path)

    def of_others(self, sinks: Collection[str]) -> dict[str, int]:
        """Count the files that wait for stores that are not among these, by store."""
        owners = (entry.path.split("/")[0] for entry in self._container.list())
        return dict(Counter(owner for owner in owners if owner not in sinks))

    def depth(self) -> SpillDepth:
        """Tell how much waits; listed at most every 10 s, for anyone may ask."""
        return self._all.depth()

    def depth_of(self, sink: str) -> SpillDepth:
        """Tell how much waits for one sink; a listing that takes long is rarer."""
        gauge = DepthGauge(self._container, f"{sink}/", self._clock, timedelta(0))
        return self._of_sinks.setdefault(sink, gauge).depth()


def _name(events: EventBatch, scored: ScoredBatch) -> str:
    """Name a batch after its readings and its model, the same however often it comes."""
    place = msgspec.json.encode((events.hub, events.partition, scored.model))
    columns = (scored.sequence_numbers.tobytes(), scored.indexes.tobytes())
    digest = hashlib.sha256(b"".join((place, *columns))).hexdigest()[:16]
    first = int(scored.sequence_numbers[0])
    return f"{max(events.enqueued_ns[0], 0):020d}-{first:020d}-{digest}.msgpack"
