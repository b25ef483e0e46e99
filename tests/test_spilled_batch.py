"""Tests of scoring.spilled_batch: what was scored comes back as it was."""

from dataclasses import fields

import msgspec
import numpy as np

from scoring.scored import Refused, ScoredBatch
from scoring.spill import Spill
from tests.event_batches import body
from tests.spilled_work import Work, put_alone

pytest_plugins = ["tests.spill_fixtures"]


def test_a_batch_comes_back_as_it_was(spill: Spill, spill_work: Work) -> None:
    """Every column, to the last bit."""
    _, scored = spill_work
    _, spilled = put_alone(spill, spill_work)
    found = spilled.scored_batch()
    for field in fields(ScoredBatch):
        before, after = getattr(scored, field.name), getattr(found, field.name)
        if isinstance(before, np.ndarray):
            assert np.array_equal(before, after), field.name
            assert before.dtype == after.dtype, field.name
        else:
            assert before == after, field.name
    assert scored.causes


def test_what_a_store_refuses_later_is_told_by_its_own_place(
    spill: Spill, spill_work: Work
) -> None:
    """Sequence number, index and bytes as they arrived; also where it was given a part alone."""
    _, spilled = put_alone(spill, spill_work)
    whole = spilled.scored_batch()
    for batch, row in ((whole, 2), (whole.take([2, 3]), 0)):
        (one,) = spilled.rejected([Refused(batch, row, "too old")])
        assert spilled.events().sequence_numbers[one.event] == 41
        assert (one.index, one.raw, one.reason) == (1, body(2), "refused_by_store")


def test_a_reading_at_the_edge_of_depth_costs_none_of_its_neighbours(
    spill: Spill, spill_work: Work
) -> None:
    """What is too deep where it is drained loses what it held besides its features."""
    _, scored = spill_work
    _, spilled = put_alone(spill, spill_work)
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    edge = msgspec.structs.replace(spilled, raws=[deep, *spilled.raws[1:]])
    found = edge.scored_batch()
    assert (found.payloads[0], found.payloads[1:]) == ({}, scored.payloads[1:])
    assert np.array_equal(found.X, scored.X)
