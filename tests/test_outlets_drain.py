"""Tests of scoring.outlets: what waits is written back."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import chain, repeat
from pathlib import Path

import pytest

from scoring.breaker import Breaker
from scoring.errors import SinkThrottledError, StorageUnavailableError
from scoring.event_batch import EventBatch
from scoring.events import Rejected
from scoring.outlets import Outlet
from scoring.sinks import line_protocol
from scoring.spill import Spill
from scoring.storage import FolderStorage
from tests.counted_influx import plant, throttled
from tests.event_batches import body
from tests.moved_time import Clock
from tests.outlet_stores import BUSY, DOWN, Store, down, turned_away, work


@pytest.fixture
def store() -> Store:
    """Return an empty store."""
    return Store()


def test_what_waits_is_written_back_in_order_and_once(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    """The oldest first; afterwards nothing is left."""
    out = down(store, clock, tmp_path, n_batches=3)
    assert out.drain(10, turned_away) == 0
    store.fault = None
    assert out.drain(10, turned_away) == 9
    assert [batch.sequence_numbers[0] for batch in store.written] == [0, 3, 6]
    assert out.drain(10, turned_away) == 0


def test_a_drain_that_writes_lets_the_next_batch_through(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    """Where both are one process, nobody waits for the pause to end."""
    out = down(store, clock, tmp_path)
    store.fault = None
    assert out.drain(10, turned_away) == 3
    assert out.deliver(*work(first=3)).written == 3


def test_draining_ends_after_its_time_and_goes_on_later(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    """A long outage leaves more than one run can write."""
    out = down(store, clock, tmp_path, n_batches=3)
    store.fault = None
    ticks = iter(range(100))
    assert out.drain(1, turned_away, clock=lambda: float(next(ticks))) == 3
    assert out.drain(10, turned_away) == 6


def test_one_batch_is_begun_however_long_the_listing_took(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    """Otherwise each run would end like that, for as long as so much waits."""
    out = down(store, clock, tmp_path, n_batches=2)
    store.fault = None
    ticks = chain([0.0], repeat(100.0))
    assert out.drain(20, turned_away, clock=lambda: next(ticks)) == 3


def test_what_is_refused_while_draining_is_turned_away_before_it_goes(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    """If that fails, the batch is still there."""
    out = down(store, clock, tmp_path)
    store.fault, store.refuses = None, [0]

    def fails(_: EventBatch, __: Sequence[Rejected]) -> None:
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011  # any will do
        out.drain(10, fails)
    found: list[bytes] = []
    assert out.drain(10, lambda _, rejected: found.extend(one.raw for one in rejected)) == 2
    assert found == [body(0)]


def test_a_refused_reading_is_told_where_the_store_keeps_fewer_than_were_spilled(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    """`COSMOS_WRITE` may have become `anomalies` meanwhile: rows count in what was written."""
    out = down(store, clock, tmp_path)
    store.fault, store.unwanted, store.refuses = None, [0, 1], [0]
    found: list[tuple[int, bytes]] = []

    def turn_away(events: EventBatch, rejected: Sequence[Rejected]) -> None:
        found.extend((events.sequence_numbers[one.event], one.raw) for one in rejected)

    assert out.drain(10, turn_away) == 2
    assert found == [(2, body(2))]


def test_a_spilled_batch_whose_readings_are_none_is_left(
    store: Store, clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What is behind it is written all the same; a person is told what to do, once."""
    out = down(store, clock, tmp_path, n_batches=2)
    file = min(tmp_path.rglob("*.msgpack"))
    file.write_bytes(file.read_bytes().replace(b'{"sensor_id"', b'["sensor_id"'))
    store.fault = None
    assert [out.drain(10, turned_away) for _ in range(2)] == [3, 0]
    assert file.exists()
    assert caplog.text.count(f"{file.name} cannot be read") == 1
    assert "move it elsewhere" in caplog.text


@pytest.mark.parametrize("fault", [DOWN, TypeError("a bug")], ids=["down", "a bug"])
def test_a_batch_that_a_store_cannot_take_holds_up_none_behind_it(
    store: Store, clock: Clock, tmp_path: Path, fault: Exception
) -> None:
    """It stays; a bug fails the run of the timer, when the others had their turn."""
    out = down(store, clock, tmp_path, n_batches=3)
    store.fault, store.poison = fault, [0]
    with suppress(TypeError):
        assert out.drain(10, turned_away) == 6
    assert [batch.sequence_numbers[0] for batch in store.written] == [3, 6]
    assert [spilled.sequence_numbers[0] for _, spilled in out.spill.waiting("store")] == [0]


def test_a_store_that_is_down_is_not_asked_for_every_batch_that_waits(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    """Three in a row are enough for one run."""
    out = down(store, clock, tmp_path, n_batches=5)
    tries = store.tries
    assert out.drain(10, turned_away) == 0
    assert store.tries == tries + 3


def test_batches_that_always_fail_starve_none_behind_them(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    """What failed is tried last in the next run: three at the head would end each run."""
    out = down(store, clock, tmp_path, n_batches=5)
    store.poison = [0, 3, 6]
    assert [out.drain(10, turned_away) for _ in range(2)] == [0, 6]
    assert [batch.sequence_numbers[0] for batch in store.written] == [9, 12]


def test_of_batches_that_fail_each_has_its_turn(store: Store, clock: Clock, tmp_path: Path) -> None:
    """The one that failed longest ago goes first, so that one which is mended is not left over."""
    out = down(store, clock, tmp_path, n_batches=5)
    store.tried.clear()
    for _ in range(3):
        out.drain(10, turned_away)
    assert store.tried == [0, 3, 6, 9, 12, 0, 3, 6, 9]


@pytest.mark.parametrize("fault", [DOWN, BUSY, TypeError("a bug")], ids=["down", "busy", "bug"])
def test_a_batch_that_fails_slowly_takes_one_run_from_the_others(
    store: Store, clock: Clock, tmp_path: Path, fault: Exception
) -> None:
    """Whatever it meets, the next run begins with those behind it."""
    out = down(store, clock, tmp_path, n_batches=3)
    store.fault, store.poison = fault, [0]
    for _ in range(2):
        with suppress(TypeError):
            out.drain(20, turned_away, clock=lambda: 20.0 * store.tried.count(0))
    assert [batch.sequence_numbers[0] for batch in store.written] == [3, 6]


def test_a_batch_that_was_written_in_part_goes_on_first(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    """Its store remembers for a while how far it came: after all the others that is forgotten."""
    out = down(store, clock, tmp_path, n_batches=3)
    store.fault, store.poison = SinkThrottledError("store", "asks for patience", "wait"), [0]
    out.drain(10, turned_away)
    store.fault.is_begun = True
    store.tried.clear()
    out.drain(10, turned_away)
    assert store.tried == [3, 6, 0]
    out.drain(10, turned_away)
    out.deliver(*work(first=9))
    store.fault = None
    assert out.drain(10, turned_away) == 3
    assert store.tried[3:] == [0, 9, 0]


def test_batches_that_take_several_writes_each_are_all_written_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each goes on run by run until it is done; in turns all would begin anew for ever."""
    monkeypatch.setattr(line_protocol, "MOST_LINES", 5)
    with plant(throttled(3)) as found:
        container = FolderStorage(tmp_path).container("spill")
        spill = Spill(container, 10, lambda: datetime.now(UTC))
        out = Outlet(found.sink, Breaker(lambda: found.now), spill)
        for first in range(0, 1_000, 40):  # 25 of eight requests each
            events, scored = work(40, first)
            spill.put("influxdb", events, scored)
        n_runs = 0
        while n_runs < 100 and list(container.list()):
            out.drain(20, turned_away, clock=lambda: found.now)
            found.sleep(60)
            n_runs += 1
    assert n_runs == 67  # 200 requests, three a run
    assert found.n_lines == 1_000 + 5 * 3 * (n_runs - 1)  # each once, and those that were throttled


def test_files_that_cannot_be_read_do_not_keep_a_run_from_its_end(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    """All of them may be like that, as after a change of the form: the host ends long runs."""
    out = down(store, clock, tmp_path, n_batches=5)
    container = FolderStorage(tmp_path).container("spill")
    entries = list(container.list())
    for entry in entries:
        container.put(entry.path, b"another form")
    ticks = iter(range(100))
    assert out.drain(2, turned_away, clock=lambda: float(next(ticks))) == 0
    assert next(ticks) == 3  # the end, and then before the second and the third


def test_a_batch_whose_dead_letter_has_no_place_takes_one_run_from_the_others(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    """Storage that is away ends a run; the next one begins with those behind."""
    out = down(store, clock, tmp_path, n_batches=2)
    store.fault, store.refuses = None, [0]
    store.tried.clear()

    def turn_away(events: EventBatch, _: Sequence[Rejected]) -> None:
        if events.sequence_numbers[0] == 0:
            raise StorageUnavailableError("dead-letter", "x", "away")

    for _ in range(2):
        with pytest.raises(StorageUnavailableError):
            out.drain(10, turn_away)
    assert store.tried == [0, 3, 0]
