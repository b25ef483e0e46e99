"""Tests of scoring.dead_letters: how much there is, from the listing alone."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scoring import dead_letters
from scoring.dead_letters import DeadLetters
from scoring.storage import Container
from tests.event_batches import event_batch
from tests.kinds_of_storage import container_of
from tests.rejections import NOW, contents, rejected


@pytest.fixture(params=["folder", "azurite"])
def container(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Container]:
    """Return an empty container of each kind."""
    with container_of(request, tmp_path) as found:
        yield found


def test_the_summary_tells_how_much_there_is_and_since_when(container: Container) -> None:
    """From the listing alone."""
    letters = DeadLetters(container)
    before = datetime.now(UTC) - timedelta(seconds=2)  # stores round to seconds
    for first in (0, 10):
        batch = event_batch([b"x"], first=first)
        letters.write(batch, rejected(batch, 0), NOW)
    depth = letters.summary(NOW)
    assert (depth.n_files, depth.is_complete) == (2, True)
    assert depth.n_bytes == sum(map(len, contents(container).values()))
    assert depth.oldest is not None
    assert before <= depth.oldest <= datetime.now(UTC) + timedelta(seconds=2)


def test_the_summary_of_nothing_is_empty(container: Container) -> None:
    """There is no oldest one."""
    depth = DeadLetters(container).summary(NOW)
    assert (depth.n_files, depth.n_bytes, depth.oldest, depth.is_complete) == (0, 0, None, True)


def test_the_summary_is_asked_of_storage_every_15_s_at_most(container: Container) -> None:
    """Anyone may ask for health."""
    letters = DeadLetters(container)
    assert letters.summary(NOW).n_files == 0
    batch = event_batch([b"x"])
    letters.write(batch, rejected(batch, 0), NOW)
    assert letters.summary(NOW + timedelta(seconds=14)).n_files == 0
    assert letters.summary(NOW + timedelta(seconds=15)).n_files == 1


def test_the_summary_of_very_many_files_is_bounded_and_says_so(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listing costs a request for each 5,000 names."""
    monkeypatch.setattr(dead_letters, "_MOST_LISTED", 2)
    letters = DeadLetters(container)
    for first in range(3):
        batch = event_batch([b"x"], first=first)
        letters.write(batch, rejected(batch, 0), NOW)
    depth = letters.summary(NOW)
    assert (depth.n_files, depth.is_complete) == (2, False)
