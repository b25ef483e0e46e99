"""Remembers what a write to Cosmos DB that ran out of time had stored."""

import hashlib
import threading
from collections.abc import Callable, Iterable, Sequence

import msgspec

from scoring.sinks.cosmos_documents import Group, Item

# Some 20 MB; four minutes at 3,000 RU/s store fewer.
_MOST = 100_000
# The drain comes every minute and writes for four; a document may be deleted or sent again later.
_KEPT_SECONDS = 900.0


class StoredMarks:
    """Marks of documents that need not be written again; safe to share between threads.

    A batch that a throttled service cannot take within one write would begin anew each time, and
    never end. With marks its next write goes on where the last one ended. A mark holds for the
    same content only, and goes when its document is written with another, when its batch is
    done, or after 15 minutes. Without marks, as after a restart, more is written than has to be.

    Parameters
    ----------
    clock : callable
        Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._marks: dict[tuple[str, str], tuple[bytes, float]] = {}

    def unmarked(self, whole: Sequence[Group]) -> list[Group]:
        """Return what is still to be written; costs nothing where there are no marks."""
        with self._lock:
            if not self._marks:
                return list(whole)
            kept = [
                Group(group.sensor_id, [one for one in group.items if not self._is_marked(one)])
                for group in whole
            ]
        return [group for group in kept if group.items]

    def mark(self, items: Iterable[Item]) -> None:
        """Remember that these are stored; beyond a bound the oldest marks go."""
        until = self._clock() + _KEPT_SECONDS
        with self._lock:
            for item in items:
                identity = _identity(item)
                self._marks.pop(identity, None)  # it is the youngest now
                self._marks[identity] = (_digest(item), until)
            for identity in list(self._marks)[: max(len(self._marks) - _MOST, 0)]:
                del self._marks[identity]

    def forget(self, whole: Iterable[Group]) -> None:
        """Let go of the marks of a batch that is done."""
        with self._lock:
            if self._marks:
                for group in whole:
                    for item in group.items:
                        self._marks.pop(_identity(item), None)

    def clear(self) -> None:
        """Let go of all: what was stored may be gone."""
        with self._lock:
            self._marks.clear()

    def _is_marked(self, item: Item) -> bool:
        found = self._marks.get(_identity(item))
        if found is None:
            return False
        if found[1] > self._clock() and found[0] == _digest(item):
            return True
        del self._marks[_identity(item)]  # it is written over now
        return False


def _identity(item: Item) -> tuple[str, str]:
    return item.document["sensor_id"], item.document["id"]


def _digest(item: Item) -> bytes:
    return hashlib.blake2b(msgspec.json.encode(item.document), digest_size=16).digest()
