"""Accounts for every reading that was sent: scored, rejected, replaced by a twin, or lost."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from local.log import EventLog
from scoring.dead_letters import DeadLetters
from scoring.errors import ReadingRejectedError
from scoring.event_time import event_time_ns
from scoring.events import TIME_KEYS
from scoring.json_bodies import documents
from scoring.sinks.sqlite import open_scores

Position = tuple[str, int]
Fate = Literal["copied", "collided", "lost"]


@dataclass(frozen=True, slots=True)
class Accounts:
    """What became of the readings in a log, one reading an event.

    Parameters
    ----------
    sent : int
        Events in the log.
    scored : int
        Stored by the sink, or stored and then replaced by one of the same identity: a copy of
        itself, or a later reading of its partition.
    collided : int
        How many of the scored were replaced by a different reading.
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
        fates = Counter(_fate(connection, event) for event in _events(log, missing))
    replaced = fates["copied"] + fates["collided"]
    return Accounts(
        sent=len(positions),
        scored=len(stored) + replaced,
        collided=fates["collided"],
        rejected=rejected,
        lost=len(missing) - replaced,
    )


@dataclass(frozen=True, slots=True)
class _Missing:
    """An event that stands neither in the scores nor in the dead letters."""

    partition: str
    sequence_number: int
    body: bytes


def _events(log: EventLog, positions: set[Position]) -> Iterator[_Missing]:
    for partition, number in positions:
        for event in log.read(int(partition), number - 1, 1):
            if event.sequence_number == number:
                yield _Missing(partition, number, event.body)


def _fate(connection: sqlite3.Connection, event: _Missing) -> Fate:
    """Tell what stands in the place of a reading: a copy, a later one, or nothing of it."""
    try:
        payload = next(iter(documents(event.body))).payload()
        time_ns = next(event_time_ns(payload[key], key) for key in TIME_KEYS if key in payload)
    except (StopIteration, ReadingRejectedError):
        return "lost"
    rows = connection.execute(
        "SELECT partition, sequence_number, features FROM scores"
        " WHERE sensor_id = ? AND event_time = ?",
        (str(payload.get("sensor_id")), time_ns),
    ).fetchall()
    if any(_is_copy(payload, json.loads(features)) for *_, features in rows):
        return "copied"
    # a partition's readings are stored in their order: an earlier one cannot replace a later one
    place = (event.partition, event.sequence_number)
    is_replaced = any(row[0] == place[0] and row[1] > place[1] for row in rows)
    return "collided" if is_replaced else "lost"


def _is_copy(payload: Mapping[str, Any], features: Mapping[str, float]) -> bool:
    inner = payload.get("features")
    found = inner if isinstance(inner, dict) else payload
    return all(found.get(name) == value for name, value in features.items())
