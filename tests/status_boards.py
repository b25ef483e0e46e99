"""Boards of status records, and clocks to write them by."""

from datetime import UTC, datetime, timedelta

from scoring.ledger import BatchCounts, Ledger
from scoring.side_work import SideWork, Work
from scoring.status import ModelStatus, StatusBoard, StatusRecord
from scoring.storage import Container

MODELS = {"default": ModelStatus(state="ready", version="v1")}


class Clock:
    """A clock that is moved by hand; it begins now, because storage dates files by itself."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    def move(self, seconds: float) -> None:
        """Move on."""
        self.now += timedelta(seconds=seconds)


def ledger(scored: int = 1) -> Ledger:
    """Return totals of one batch."""
    totals = Ledger()
    totals.add(BatchCounts(scored + 2, scored, rejected={"not_utf8": 2}, lag_ms=[5.0, 7.25]))
    return totals


def at_once(work: Work) -> None:
    """Write where it is asked for, so that a test knows when it has ended."""
    work()


def board_of(container: Container, instance: str, clock: Clock) -> StatusBoard:
    """Return the board of a scorer process."""
    return StatusBoard(container, instance, clock, writing=SideWork(at_once))


def records(container: Container, clock: Clock) -> dict[str, StatusRecord]:
    """Read the fresh records as another process does."""
    board = StatusBoard(container, "reader", clock)
    return {record.instance: record for record in board.fresh_records()}
