"""Turns dead letters back into the batches of events that they came from."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from scoring.dead_letters import LetterFile
from scoring.event_batch import EventBatch
from scoring.events import Rejected
from scoring.json_bodies import raw_reading
from scoring.letters import INTERNAL, DeadLetter
from scoring.scored import REFUSED_BY_STORE, Refused

# Files are replayed together up to these, so that a store is asked once for many small ones.
_LETTERS_AT_ONCE = 500
_BYTES_AT_ONCE = 4 * 2**20


def events_of(letters: Sequence[DeadLetter]) -> EventBatch:
    """Make the events again that letters of one partition came from, a letter an event."""
    return EventBatch(
        hub=letters[0].hub,
        partition=letters[0].partition,
        bodies=[letter.raw_bytes() for letter in letters],
        sequence_numbers=[letter.sequence_number for letter in letters],
        enqueued_ns=[letter.enqueued_ns for letter in letters],
        partition_keys=[letter.partition_key for letter in letters],
        device_ids=[letter.device_id for letter in letters],
        first_indexes=[letter.index for letter in letters],
    )


def files_together(files: Iterable[LetterFile]) -> Iterator[list[LetterFile]]:
    """Join files up to a bounded size; a file is never cut."""
    joined: list[LetterFile] = []
    n_letters = n_bytes = 0
    for file in files:
        joined.append(file)
        n_letters += len(file.letters)
        n_bytes += file.n_bytes
        if n_letters >= _LETTERS_AT_ONCE or n_bytes >= _BYTES_AT_ONCE:
            yield joined
            joined, n_letters, n_bytes = [], 0, 0
    if joined:
        yield joined


def batches(letters: Iterable[DeadLetter]) -> Iterator[list[DeadLetter]]:
    """Part letters by partition, and so that a place in the hub stands in a batch once.

    A whole event and a reading of it, or two reasons of one reading, may both be letters.
    """
    seen: Counter[tuple[str, str, bool, int, int]] = Counter()
    groups: dict[tuple[str, str, bool, int], list[DeadLetter]] = {}
    for one in letters:
        whole = one.reason == INTERNAL
        place = (one.hub, one.partition, whole, one.sequence_number, one.index)
        groups.setdefault((*place[:3], seen[place]), []).append(one)
        seen[place] += 1
    yield from groups.values()


def rejections(letters: Sequence[DeadLetter], refused: Sequence[Refused]) -> list[Rejected]:
    """Turn away what a store refuses, each reading once whichever stores refuse it."""
    places = {(letter.sequence_number, letter.index): event for event, letter in enumerate(letters)}
    found: dict[tuple[int, int], Rejected] = {}
    for one in refused:
        number = int(one.batch.sequence_numbers[one.row])
        index = int(one.batch.indexes[one.row])
        # a letter holds its own reading and those that followed it in the same body
        first = next(at for at in range(index, -1, -1) if (number, at) in places)
        event = places[number, first]
        raw = raw_reading(letters[event].raw_bytes(), index - first)
        found[event, index] = Rejected(event, index, raw, REFUSED_BY_STORE, one.message)
    return list(found.values())
