"""Accounts for every reading that was sent: scored, rejected, replaced by a twin, or lost."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from local.log import EventLog
from scoring.dead_letters import DeadLetters
from scoring.errors import ReadingRejectedError
from scoring.event_time import event_time_ns
from scoring.events import TIME_KEYS
from scoring.json_bodies import documents
from scoring.sinks.sqlite import open_scores

Position = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Accounts:
    """What became of the readings in a log, one reading an event.

    Parameters
    ----------
    sent : int
        Events in the log.
    scored : int
        Stored by the sink, or stored and then replaced by another reading of the same identity.
    collided : int
        How many of the scored were replaced so.
    rejected : dict of str to int
        Dead letters by reason.
    lost : int
        The rest; 0 unless something is broken.
    """

    sent: int
    scored: int
    collided: int
    rejected: dict[str, int] = field(default_factory=dict)
    lost: int = 0


def account(log: EventLog, scores: Path, dead_letters: DeadLetters) -> Accounts:
    """Look up every event of a log in the scores and in the dead letters."""
    positions = {
        (str(partition), number)
        for partition, last in log.end_positions().items()
        for number in range(last + 1)
    }
    with closing(open_scores(scores)) as connection:
        stored = positions.intersection(
            connection.execute("SELECT partition, sequence_number FROM scores")
        )
        rejected: dict[str, int] = {}
        kept: set[Position] = set()
        for letter in dead_letters.read():
            kept.add((letter.partition, letter.sequence_number))
            rejected[letter.reason] = rejected.get(letter.reason, 0) + 1
        missing = positions - stored - kept
        replaced = sum(_is_stored(connection, event) for event in _bodies(log, missing))
    return Accounts(
        sent=len(positions),
        scored=len(stored) + replaced,
        collided=replaced,
        rejected=rejected,
        lost=len(missing) - replaced,
    )


def _bodies(log: EventLog, positions: set[Position]) -> Iterator[bytes]:
    for partition, number in positions:
        for event in log.read(int(partition), number - 1, 1):
            if event.sequence_number == number:
                yield event.body


def _is_stored(connection: sqlite3.Connection, body: bytes) -> bool:
    """Tell whether another reading with the identity of this one is stored."""
    payload = next(iter(documents(body))).payload()
    try:
        time_ns = next(event_time_ns(payload[key], key) for key in TIME_KEYS if key in payload)
    except (StopIteration, ReadingRejectedError):
        return False
    found = connection.execute(
        "SELECT 1 FROM scores WHERE sensor_id = ? AND event_time = ?",
        (str(payload.get("sensor_id")), time_ns),
    )
    return found.fetchone() is not None
