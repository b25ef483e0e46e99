"""Tests of scoring.sinks.cosmos_marks."""

from typing import Any

import pytest

from scoring.sinks import cosmos_marks
from scoring.sinks.cosmos_documents import Group, groups
from scoring.sinks.cosmos_marks import StoredMarks
from tests.scored_batches import scored_batch


def grouped(n: int, **changes: Any) -> list[Group]:
    """Group the documents of one sensor."""
    return groups([scored_batch(n, **changes)], ("sensor_id",), only_anomalies=False)


def n_unmarked(marks: StoredMarks, whole: list[Group]) -> int:
    """Count what is to be written."""
    return sum(len(group.items) for group in marks.unmarked(whole))


def marked(n: int, clock: list[float]) -> StoredMarks:
    """Mark so many documents."""
    marks = StoredMarks(lambda: clock[0])
    marks.mark(item for group in grouped(n) for item in group.items)
    return marks


def test_what_is_marked_is_not_written_again() -> None:
    """The rest is; a group of which nothing is left goes."""
    assert n_unmarked(marked(3, [0.0]), grouped(5)) == 2
    assert marked(3, [0.0]).unmarked(grouped(3)) == []


def test_another_content_is_written_and_ends_the_mark() -> None:
    """It replaces what was stored; the old content then has to be written to come back."""
    marks = marked(3, [0.0])
    assert n_unmarked(marks, grouped(3, model_version="v2")) == 3
    assert n_unmarked(marks, grouped(3)) == 3


def test_a_mark_ends_after_a_quarter_of_an_hour() -> None:
    """A document may be deleted by then, and sent again."""
    clock = [0.0]
    marks = marked(3, clock)
    clock[0] = 899.0
    assert n_unmarked(marks, grouped(3)) == 0
    clock[0] = 900.0
    assert n_unmarked(marks, grouped(3)) == 3


def test_a_batch_that_is_done_needs_no_marks() -> None:
    """Only its own go."""
    marks = marked(3, [0.0])
    marks.forget(grouped(2))
    assert n_unmarked(marks, grouped(3)) == 2


def test_marks_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go first; to be marked again makes one young."""
    monkeypatch.setattr(cosmos_marks, "_MOST", 3)
    marks = marked(3, [0.0])
    (group,) = grouped(4)
    marks.mark([group.items[0], group.items[3]])
    (left,) = marks.unmarked([group])
    assert left.items == [group.items[1]]
