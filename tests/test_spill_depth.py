"""Tests of scoring.spill_depth: how much waits is listed rarely where that takes long."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scoring.spill_depth import DepthGauge, SpillDepth
from scoring.storage import Entry, FolderStorage
from tests.spilled_work import Clock

OLD, NEW = (datetime(2026, 5, day, tzinfo=UTC) for day in (1, 2))


def test_a_depth_that_takes_long_to_list_is_listed_rarely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two listings the last one counts, whoever asks."""
    container, clock = FolderStorage(tmp_path).container("spill"), Clock()
    n_listed = 0

    def slow(prefix: str) -> Iterator[Entry]:
        nonlocal n_listed
        n_listed += 1
        clock.now += timedelta(seconds=3)
        return iter([Entry(f"{prefix}1", 5, NEW), Entry(f"{prefix}2", 7, OLD)])

    monkeypatch.setattr(container, "list", slow)
    gauge = DepthGauge(container, "a/", clock, timedelta(0))
    for seconds, expected in ((59, 1), (1, 1), (0, 2)):
        assert gauge.depth() == SpillDepth(2, 12, OLD)
        assert n_listed == expected
        clock.now += timedelta(seconds=seconds)
