"""Tests of scoring.spill_room: what waits is bounded, and counting it holds up no batch."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from scoring.errors import SpillFullError, StorageUnavailableError
from scoring.spill import Spill
from scoring.spill_room import SpillRoom
from scoring.storage import Container, Entry, FolderStorage
from tests.spilled_work import Clock, Work, numbered

pytest_plugins = ["tests.spill_fixtures"]

# Beyond what is waited for on purpose; a machine that is busy with other tests is slow.
SLOW_S = 10.0
KB = 1_000


def at_once(work: Callable[[], None]) -> None:
    """Do what is done beside a batch, before it goes on."""
    work()


def fill(spill: Spill, work: Work) -> None:
    """Spill more than fits."""
    for number in range(100):
        spill.put("influxdb", *numbered(work, number))


def test_past_its_bound_the_caller_keeps_the_batch(
    spill_container: Container, spill_work: Work
) -> None:
    """Also where another process filled it; once there is room it takes again."""
    clock, later = Clock(), numbered(spill_work, 200)
    first, second = (Spill(spill_container, 0.005, clock, at_once) for _ in range(2))
    with pytest.raises(SpillFullError, match="SPILL_MAX_MB"):
        fill(first, spill_work)
    kept = list(first.waiting("influxdb"))
    assert 0 < sum(entry.size for entry, _ in kept) <= 5_000
    with pytest.raises(SpillFullError):
        second.put("influxdb", *later)
    for entry, _ in kept:
        first.remove(entry)
    clock.now += timedelta(seconds=11)
    second.put("influxdb", *later)


def test_what_takes_its_own_place_again_takes_no_more_room(
    spill_container: Container, spill_work: Work
) -> None:
    """It comes again every minute while another store asks for patience."""
    events, scored = spill_work
    clock = Clock()
    spill = Spill(spill_container, 0.002, clock, at_once)
    for _ in range(20):
        spill.put("influxdb", events, [scored])
        clock.now += timedelta(seconds=11)
    (entry,) = spill_container.list()
    assert 2 * entry.size > 0.002e6


def test_what_another_process_put_is_replaced_as_well(
    spill_container: Container, spill_work: Work
) -> None:
    """After a restart the batch comes again, to a process that knows of nothing."""
    events, scored = spill_work
    for _ in range(2):
        Spill(spill_container, 0.002, Clock(), at_once).put("influxdb", events, [scored])


@pytest.mark.parametrize("other", ["batch", "reader"])
def test_a_batch_does_not_wait_for_the_listing_of_another(
    spill_container: Container,
    spill_work: Work,
    monkeypatch: pytest.MonkeyPatch,
    other: str,
) -> None:
    """A storage that is silent would hold up each of them in turn; health is one, too."""
    spill = Spill(spill_container, 10, Clock())
    asked, released = threading.Event(), threading.Event()
    listing = spill_container.list

    def silent_once(prefix: str = "") -> Iterator[Entry]:
        if not asked.is_set():
            asked.set()
            assert released.wait(60)
        return listing(prefix)

    monkeypatch.setattr(spill_container, "list", silent_once)
    put = partial(spill.put, "a", *numbered(spill_work, 1))
    first = threading.Thread(target=spill.depth if other == "reader" else put)
    first.start()
    assert asked.wait(60)
    started = time.monotonic()
    spill.put("a", *numbered(spill_work, 2))
    assert time.monotonic() - started < SLOW_S
    released.set()
    first.join(60)
    assert len(list(spill.waiting("a"))) == 2 - (other == "reader")


@dataclass
class Listings:
    """Rooms in a folder, and what happens while it is listed."""

    container: Container
    clock: Clock = field(default_factory=Clock)
    n: int = 0
    during: Callable[[], object] = lambda: None
    begun: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._list = self.container.list

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Stand in for the container's own."""
        self.n += 1
        found = list(self._list(prefix))
        self.during()
        return iter(found)

    def room(self) -> SpillRoom:
        """Return a room of 10 kB that lists beside, when it is told to."""
        return SpillRoom(self.container, 0.01, self.clock, self.begun.append)


@pytest.fixture
def listings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Listings:
    """Watch the listings of a folder."""
    container = FolderStorage(tmp_path).container("spill")
    found = Listings(container)
    monkeypatch.setattr(container, "list", found.list)
    return found


def test_what_was_put_during_a_listing_counts(listings: Listings) -> None:
    """Batches side by side do not fill the spill beyond its size."""
    room, puts = listings.room(), iter([6 * KB])
    listings.during = lambda: [room.claim("a/1", size) for size in puts]
    with pytest.raises(SpillFullError):
        room.claim("a/2", 5 * KB)


def test_a_process_lists_before_its_first_claim_and_then_beside_the_batches(
    listings: Listings,
) -> None:
    """It trusts the bound when it has seen once what is there; no batch waits after that."""
    listings.container.put("b/1", b"x" * 9 * KB)
    room = listings.room()
    with pytest.raises(SpillFullError):
        room.claim("a/1", 2 * KB)
    listings.container.delete("b/1")
    listings.clock.now += timedelta(seconds=11)
    with pytest.raises(SpillFullError):
        room.claim("a/1", 2 * KB)
    assert (listings.n, len(listings.begun)) == (1, 1)
    listings.begun.pop()()
    room.claim("a/1", 2 * KB)
    assert (listings.n, len(listings.begun)) == (2, 0)


def test_one_listing_is_made_at_a_time(listings: Listings) -> None:
    """However many batches come while it lasts."""
    room = listings.room()
    room.claim("a/1", KB)
    listings.clock.now += timedelta(seconds=11)
    for _ in range(3):
        room.claim("a/1", KB)
    assert len(listings.begun) == 1


def test_a_listing_that_takes_long_is_rare(listings: Listings) -> None:
    """A twentieth of the time at most: 3 s for 20,000 files would be a third of every ten."""

    def takes_3_s() -> None:
        listings.clock.now += timedelta(seconds=3)

    listings.during = takes_3_s
    room = listings.room()
    for begun, seconds in ((0, 59), (0, 1), (1, 0)):
        room.claim("a/1", KB)
        assert len(listings.begun) == begun
        listings.clock.now += timedelta(seconds=seconds)


def test_a_listing_that_fails_costs_no_batch_and_is_made_again(listings: Listings) -> None:
    """Whether the batch can be put is found out by putting it."""

    def fails() -> None:
        raise StorageUnavailableError("spill", "", "away")

    room = listings.room()
    room.claim("a/1", KB)
    listings.clock.now += timedelta(seconds=11)
    listings.during = fails
    for n_listings in (2, 3):
        room.claim("a/1", KB)
        listings.begun.pop()()
        assert listings.n == n_listings


def test_a_batch_that_comes_again_while_listings_fail_takes_no_more_room(
    listings: Listings,
) -> None:
    """What was put before the listing is known as before."""

    def fails() -> None:
        raise StorageUnavailableError("spill", "", "away")

    room = listings.room()
    room.claim("a/1", 6 * KB)
    listings.during = fails
    for _ in range(3):
        listings.clock.now += timedelta(seconds=11)
        room.claim("a/1", 6 * KB)
        listings.begun.pop()()
    room.claim("a/2", 3 * KB)


def test_where_no_thread_can_begin_nothing_is_listed_now(listings: Listings) -> None:
    """The batch goes on, and the next one tries again."""
    tried: list[object] = []

    def exhausted(work: object) -> None:
        tried.append(work)
        raise RuntimeError("can't start new thread")

    room = SpillRoom(listings.container, 0.01, listings.clock, exhausted)
    room.claim("a/1", KB)
    listings.clock.now += timedelta(seconds=11)
    for n_tried in (1, 2):
        room.claim("a/1", KB)
        assert len(tried) == n_tried
