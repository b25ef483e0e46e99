"""Remembers how far a write to InfluxDB came that had to be given up."""

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from scoring.scored import ScoredBatch
from scoring.sinks.influxdb_answers import RefusedError
from scoring.sinks.line_protocol import spans

# A batch that is held comes again within a minute, and the drain within one too; a point may be
# deleted or sent again later.
_KEPT_SECONDS = 900.0
# Some 800,000 lines in hand, or 80,000 that were refused one by one.
_MOST_BYTES = 40_000_000
# An identity, and a place where the lines of a request do not follow each other.
_BYTES_A_LINE = 48
_BYTES_A_REFUSAL = 400
# Of a whole text, some in ascending order: the lines of one request.
Places = Sequence[int]


@dataclass(slots=True)
class Progress:
    """How far a write has come; not frozen, because it is what a write changes.

    Parameters
    ----------
    waiting : list of Places
        What is still to be sent; the next request stands at the end.
    refused : list of tuple of int and str
        The lines that the server takes never, by their places, and what it said.
    n_steps : int
        Grows with each request that was stored, refused or parted.
    generation : int
        Of what is remembered; see `Unfinished.clear`.
    """

    waiting: list[Places]
    refused: list[tuple[int, str]] = field(default_factory=list)
    n_steps: int = 0
    generation: int = 0

    @classmethod
    def none(cls, text: Sequence[str], generation: int = 0) -> "Progress":
        """Begin: the last of two lines with one identity stays, so they go in order."""
        waiting: list[Places] = [range(start, end) for start, end in reversed(spans(text))]
        return cls(waiting, generation=generation)

    def copy(self) -> "Progress":
        """Return one that changes for itself."""
        return replace(self, waiting=list(self.waiting), refused=list(self.refused))

    def stored(self) -> None:
        """Go on to the next request."""
        self.waiting.pop()
        self.n_steps += 1

    def split(self, text: Sequence[str], error: RefusedError) -> None:
        """Part the request that was refused, or give up its lines where that is proved.

        It is proved of a line that was sent alone, and of all lines of a request of which the
        server names each or counts all. What it names besides tells where to part; where it
        names nothing the request is halved. So each line is sent until it is stored or proved
        to be refused, whatever the server means by its words.
        """
        places = self.waiting.pop()
        self.n_steps += 1
        lines = [text[place] for place in places]
        told = error.told(lines)
        if len(told) == len(lines):
            self.refused += [(place, told[row]) for row, place in enumerate(places)]
        elif told and not _share_identities(lines, told):
            others = [place for row, place in enumerate(places) if row not in told]
            named = [place for row, place in enumerate(places) if row in told]
            # halved, because a server may name one line at a time: then this is no slower
            self.waiting += [named, *_halves(others)[::-1]]
        else:
            self.waiting += _halves(places)[::-1]


def _halves(places: Places) -> list[Places]:
    middle = len(places) // 2
    return [part for part in (places[:middle], places[middle:]) if part]


def _share_identities(lines: Sequence[str], told: dict[int, str]) -> bool:
    """Tell whether the order of some lines matters; too often is safe."""
    points = [(line.partition(" ")[0], line.rpartition(" ")[2]) for line in lines]
    named = {points[row] for row in told}
    return any(row not in told and point in named for row, point in enumerate(points))


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is remembered of one write: how far it came, whose readings, until when."""

    progress: Progress
    identities: npt.NDArray[np.int64]
    until_s: float

    def n_bytes(self) -> int:
        n_refused = len(self.progress.refused)
        return _BYTES_A_LINE * len(self.identities) + _BYTES_A_REFUSAL * n_refused


class Unfinished:
    """The progress of writes that were given up; safe to share between threads.

    A batch that a throttled server, or one that refuses many lines, cannot take within one write
    would begin anew each time, and never end. The next write of the same text goes on where the
    last one ended. That holds for exactly this text, for 15 minutes, and until any of its readings
    was written by another batch or with another content. Without it, as after a restart, more is
    written than has to be.

    Parameters
    ----------
    clock : callable
        Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[bytes, _Kept] = {}
        self._generation = 0

    def progress(self, text: Sequence[str]) -> Progress:
        """Return how far a write of these lines came; costs nothing where none was given up."""
        if self._kept:
            with self._lock:
                self._drop_old()
        if self._kept:
            digest = _digest(text)
            with self._lock:
                if digest in self._kept:
                    return self._kept[digest].progress.copy()
        return Progress.none(text, self._generation)

    def keep(self, batches: Sequence[ScoredBatch], text: Sequence[str], progress: Progress) -> None:
        """Remember how far a write came, which is over; beyond a bound the oldest is forgotten."""
        digest = _digest(text)
        kept = _Kept(progress, _identities(batches), self._clock() + _KEPT_SECONDS)
        with self._lock:
            self._kept.pop(digest, None)
            if progress.generation == self._generation:
                self._kept[digest] = kept  # the youngest stands last
            self._drop_old()
            n_bytes = sum(one.n_bytes() for one in self._kept.values())
            while n_bytes > _MOST_BYTES:
                n_bytes -= self._kept.pop(next(iter(self._kept))).n_bytes()

    def _drop_old(self) -> None:
        now_s = self._clock()
        for digest, one in list(self._kept.items()):
            if now_s >= one.until_s:
                del self._kept[digest]

    def forget(self, batches: Sequence[ScoredBatch]) -> None:
        """Let go of what holds a reading of batches that are stored now."""
        if not self._kept:
            return
        identities = _identities(batches)
        with self._lock:
            self._kept = {
                digest: kept
                for digest, kept in self._kept.items()
                if not np.isin(identities, kept.identities).any()
            }

    def clear(self) -> None:
        """Let go of all, and of writes under way: what was stored may be gone."""
        with self._lock:
            self._generation += 1
            self._kept.clear()


def _digest(text: Sequence[str]) -> bytes:
    return hashlib.blake2b("\n".join(text).encode(), digest_size=16).digest()


def _identities(batches: Sequence[ScoredBatch]) -> npt.NDArray[np.int64]:
    """Return a number for each identity; two that share one are only written once more."""
    return np.array(
        [
            hash((batch.model, sensor_id, time_ns))
            for batch in batches
            for sensor_id, time_ns in zip(
                batch.sensor_ids, batch.event_time_ns.tolist(), strict=True
            )
        ],
        np.int64,
    )
