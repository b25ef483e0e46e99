"""Scored work to spill, and a clock to spill it by."""

from dataclasses import replace
from datetime import UTC, datetime

from scoring.event_batch import EventBatch
from scoring.scored import ScoredBatch
from scoring.spill import Spill, SpillFile
from scoring.spilled_batch import SpilledBatch

Work = tuple[EventBatch, ScoredBatch]


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now


def put_alone(spill: Spill, work: Work) -> tuple[SpillFile, SpilledBatch]:
    """Spill the work for one store, and return what waits there alone."""
    events, scored = work
    spill.put("influxdb", events, [scored])
    (found,) = spill.waiting("influxdb")
    return found


def numbered(work: Work, number: int) -> tuple[EventBatch, list[ScoredBatch]]:
    """Let the work come from later in its partition."""
    events, scored = work
    later = [one + 100 * number for one in events.sequence_numbers]
    enqueued = [one + 10**9 * number for one in events.enqueued_ns]
    moved = replace(scored, sequence_numbers=scored.sequence_numbers + 100 * number)
    return replace(events, sequence_numbers=later, enqueued_ns=enqueued), [moved]
