"""Tests of local.accounts: what became of each reading that was sent."""

from contextlib import closing
from pathlib import Path

import pytest

from local.accounts import Accounts, account
from local.log import EventLog, LogEvent, log_path
from scoring.dead_letters import DeadLetters
from scoring.sinks.sqlite import open_scores
from scoring.storage import FolderStorage

Row = tuple[int, str, int, float]


def accounts(tmp_path: Path, sent: list[LogEvent], *rows: Row) -> Accounts:
    """Account for events against scores: event time in s, partition, sequence number, feature."""
    path = tmp_path / "scores.sqlite"
    with closing(open_scores(path)) as connection, connection:
        connection.executemany(
            "INSERT INTO scores VALUES"
            " ('m', 'a', ?, '1', 0, NULL, 0, NULL, json_object('x', ?), 0, ?, ?, 0)",
            [(second * 10**9, x, partition, number) for second, partition, number, x in rows],
        )
    letters = DeadLetters(FolderStorage(tmp_path).container("dead-letter"))
    with EventLog(log_path(tmp_path, "hub"), partitions=2) as log:
        log.append(sent)
        return account(log, path, letters)


def reading(second: int, x: float, partition: int = 0) -> LogEvent:
    """One reading of sensor a."""
    body = b'{"sensor_id": "a", "timestamp": %d, "x": %g}' % (second, x)
    return LogEvent(body, partition=partition)


THREE = [reading(1, 1.0), reading(2, 2.0), reading(2, 3.0)]


def test_a_reading_that_is_nowhere_is_lost(tmp_path: Path) -> None:
    """The account finds what the store and the dead letters lack."""
    found = accounts(tmp_path, THREE, (2, "0", 2, 3.0))
    assert (found.sent, found.scored, found.collided, found.lost) == (3, 2, 1, 1)


def test_a_reading_replaced_by_its_twin_is_collided_and_not_lost(tmp_path: Path) -> None:
    """Two readings of one identity leave one row, and both count as scored."""
    found = accounts(tmp_path, THREE, (1, "0", 0, 1.0), (2, "0", 2, 3.0))
    assert (found.scored, found.collided, found.lost) == (3, 1, 0)


def test_an_earlier_reading_does_not_stand_for_a_later_one(tmp_path: Path) -> None:
    """Stored in order, the later one would have replaced it: it was never scored."""
    found = accounts(tmp_path, THREE, (1, "0", 0, 1.0), (2, "0", 1, 2.0))
    assert (found.scored, found.collided, found.lost) == (2, 0, 1)


def test_a_reading_of_another_partition_does_not_stand_for_one(tmp_path: Path) -> None:
    """There is no order between partitions that would tell."""
    sent = [reading(1, 1.0, 0), reading(1, 2.0, 1)]
    found = accounts(tmp_path, sent, (1, "1", 0, 2.0))
    assert (found.scored, found.collided, found.lost) == (1, 0, 1)


@pytest.mark.parametrize("kept", [0, 1])
def test_a_reading_that_was_sent_twice_is_scored_and_not_collided(
    tmp_path: Path, kept: int
) -> None:
    """Whichever copy is stored: its values are those of both."""
    found = accounts(tmp_path, [reading(1, 1.5), reading(1, 1.5)], (1, "0", kept, 1.5))
    assert (found.scored, found.collided, found.lost) == (2, 0, 0)


def test_an_event_that_is_no_reading_is_lost_unless_it_was_rejected(tmp_path: Path) -> None:
    """It has no identity that could be stored."""
    found = accounts(tmp_path, [LogEvent(b"no JSON", partition=0)])
    assert (found.sent, found.lost) == (1, 1)
