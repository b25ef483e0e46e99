"""Tests of scoring.status: what one scorer process tells the others."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from scoring.errors import StorageUnavailableError
from scoring.ledger import BatchCounts, Ledger
from scoring.side_work import SideWork, Work
from scoring.status import ModelStatus, StatusBoard, StatusRecord
from scoring.storage import Container, Stored
from tests.kinds_of_storage import container_of

# Beyond what is waited for on purpose; a machine that is busy with other tests is slow.
SLOW_S = 10.0
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


@pytest.fixture(params=["folder", "azurite"])
def container(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Container]:
    """Return an empty container of each kind."""
    with container_of(request, tmp_path) as found:
        yield found


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


def test_a_record_says_what_its_process_did(container: Container) -> None:
    """Counts, reasons, lag, models and sinks, under the instance's name."""
    clock = Clock()
    board = board_of(container, "host-1", clock)
    board.batch_ended(ledger(), MODELS, {"sqlite": "ok"})
    assert [entry.path for entry in container.list()] == ["host-1.json"]
    record = records(container, clock)["host-1"]
    assert record.counts["scored"] == 1
    assert record.rejected == {"not_utf8": 2}
    assert (record.lag_p50_ms, record.lag_max_ms) == (7.2, 7.2)
    assert (record.models, record.sinks) == (MODELS, {"sqlite": "ok"})
    assert record.last_batch_time == clock.now


def test_a_record_is_written_at_most_every_15_seconds(container: Container) -> None:
    """However many batches end in between."""
    clock = Clock()
    board = board_of(container, "host-1", clock)
    stored = []
    for scored, seconds in enumerate((0, 14.9, 0.1, 14.9, 0.2)):
        clock.move(seconds)
        board.batch_ended(ledger(scored), MODELS, {})
        stored.append(records(container, clock)["host-1"].counts["scored"])
    assert stored == [0, 0, 2, 2, 4]


def test_records_of_all_processes_are_joined_while_they_are_fresh(container: Container) -> None:
    """Two minutes; a process that ended or idles longer is not counted."""
    clock = Clock()
    board_of(container, "host-1", clock).batch_ended(ledger(), MODELS, {})
    clock.move(100)
    board_of(container, "host-2", clock).batch_ended(ledger(), MODELS, {})
    clock.move(20)
    assert records(container, clock).keys() == {"host-1", "host-2"}
    clock.move(1)
    assert records(container, clock).keys() == {"host-2"}


def test_a_record_that_cannot_be_written_costs_no_batch(
    container: Container, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said in the log, and tried again 15 seconds later."""
    clock = Clock()
    board = board_of(container, "host-1", clock)
    with monkeypatch.context() as patch:

        def refuse(*_: object, **__: object) -> None:
            raise StorageUnavailableError("status", "host-1.json", "down")

        patch.setattr(type(container), "put", refuse)
        board.batch_ended(ledger(), MODELS, {})
    assert "status record not written" in caplog.text
    clock.move(15)
    board.batch_ended(ledger(), MODELS, {})
    assert records(container, clock).keys() == {"host-1"}


def test_a_record_that_cannot_be_written_is_known_to_its_own_process_for_two_minutes(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one process does everything, health is not blind while storage takes nothing."""
    clock = Clock()
    board = board_of(container, "host-1", clock)

    def refuse(*_: object, **__: object) -> None:
        raise StorageUnavailableError("status", "host-1.json", "full")

    monkeypatch.setattr(type(container), "put", refuse)
    board.batch_ended(ledger(), MODELS, {})
    assert ([one.instance for one in board.fresh_records()], board.can_write()) == (
        ["host-1"],
        False,
    )
    clock.move(121)
    assert (board.fresh_records(), board.can_write()) == ((), True)


class SilentContainer:
    """A container that answers nothing until it is released."""

    name = "status"

    def __init__(self, behind: Container) -> None:
        self.asked, self.released = threading.Event(), threading.Event()
        self._behind = behind

    def __getattr__(self, name: str) -> Callable[..., object]:
        """Return a method that waits."""

        def answered(*arguments: object) -> object:
            self.asked.set()
            assert self.released.wait(60)
            return getattr(self._behind, name)(*arguments)

        return answered


@pytest.fixture
def silent(container: Container) -> Iterator[SilentContainer]:
    """Return a container that is silent for as long as a test wants."""
    found = SilentContainer(container)
    yield found
    found.released.set()


def as_container(silent: SilentContainer) -> Container:
    """Tell the type checker that every method is there."""
    found: Any = silent
    return cast("Container", found)


def test_a_silent_storage_keeps_no_batch_and_is_told_of(
    container: Container, silent: SilentContainer
) -> None:
    """The newest record is written when it answers again; others meanwhile are not."""
    clock = Clock()
    board = StatusBoard(as_container(silent), "host-1", clock, writing=SideWork(patience_s=0.01))
    for scored in range(3):
        board.batch_ended(ledger(scored), MODELS, {})
        assert not board.can_write()
        clock.move(15)
    silent.released.set()
    assert board.settle(60)
    assert board.can_write()
    assert records(container, clock)["host-1"].counts["scored"] == 2


def test_a_record_that_waited_has_the_time_of_its_writing(
    container: Container, silent: SilentContainer
) -> None:
    """Else its process would seem to have a clock that is wrong."""
    clock = Clock()
    board = StatusBoard(as_container(silent), "host-1", clock, writing=SideWork(patience_s=0.01))
    board.batch_ended(ledger(0), MODELS, {})
    began = clock.now
    clock.move(15)
    board.batch_ended(ledger(1), MODELS, {})
    clock.move(60)
    silent.released.set()
    assert board.settle(60)
    record = records(container, clock)["host-1"]
    assert (record.written_time, record.last_batch_time) == (clock.now, began + timedelta(0, 15))


def test_a_batch_does_not_wait_for_a_reader_whom_storage_does_not_answer(
    container: Container, silent: SilentContainer
) -> None:
    """Health may be asked in the process that scores."""
    board = StatusBoard(as_container(silent), "host-1", Clock(), writing=SideWork(patience_s=0.01))
    reader = threading.Thread(target=board.fresh_records)
    reader.start()
    assert silent.asked.wait(60)
    started = time.monotonic()
    board.batch_ended(ledger(), MODELS, {})
    assert time.monotonic() - started < SLOW_S
    silent.released.set()
    reader.join(60)
    assert board.settle(60)


def test_a_record_of_another_release_is_left_out(container: Container) -> None:
    """During a deployment there are such; health must not fail over them."""
    clock = Clock()
    board_of(container, "host-1", clock).batch_ended(ledger(), MODELS, {})
    container.put("host-2.json", b'{"instance": "host-2"}')
    container.put("host-3.json", b"half a rec")
    container.put("host-4.json", b'{"instance": "\xff"}')
    container.put("host-5.json", b'{"x":' + b"[" * 100_000)
    assert records(container, clock).keys() == {"host-1"}


def test_a_record_whose_times_are_millennia_apart_is_left_out(container: Container) -> None:
    """No process wrote that; health must not fail over it."""
    clock = Clock()
    board_of(container, "host-1", clock).batch_ended(ledger(), MODELS, {})
    found = container.get("host-1.json")
    assert isinstance(found, Stored)
    record = msgspec.json.decode(found.data)
    record |= {"instance": "host-2", "written_time": "9999-01-01T00:00:00Z"}
    record |= {"last_batch_time": "0001-01-02T00:00:00Z"}
    container.put("host-2.json", msgspec.json.encode(record))
    assert records(container, clock).keys() == {"host-1"}


def test_a_field_of_a_later_release_does_no_harm(container: Container) -> None:
    """What a reader does not know it ignores."""
    clock = Clock()
    board_of(container, "host-1", clock).batch_ended(ledger(), MODELS, {})
    found = container.get("host-1.json")
    assert isinstance(found, Stored)
    container.put("host-1.json", msgspec.json.encode(msgspec.json.decode(found.data) | {"new": 1}))
    assert records(container, clock).keys() == {"host-1"}


def test_records_of_processes_that_ended_a_day_ago_are_swept(container: Container) -> None:
    """They would be listed for ever; a younger one stays."""
    clock = Clock()
    board_of(container, "ended", clock).batch_ended(ledger(), MODELS, {})
    clock.move(23 * 3600)
    board_of(container, "alive", clock).sweep()
    assert [entry.path for entry in container.list()] == ["ended.json"]
    clock.move(2 * 3600)
    board_of(container, "alive", clock).sweep()
    assert list(container.list()) == []


def test_a_record_whose_times_have_no_zone_is_left_out(container: Container) -> None:
    """They could be held against no other time, and health would fail over it."""
    clock = Clock()
    board_of(container, "host-1", clock).batch_ended(ledger(), MODELS, {})
    found = container.get("host-1.json")
    assert isinstance(found, Stored)
    container.put("host-2.json", found.data.replace(b'Z"', b'"'))
    assert records(container, clock).keys() == {"host-1"}
