"""Tests of scoring.status: records that storage takes late, or not at all."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast
from unittest.mock import Mock

import pytest

from scoring.errors import StorageUnavailableError
from scoring.side_work import SideWork
from scoring.status import StatusBoard
from scoring.storage import Container
from tests.kinds_of_storage import container_of
from tests.moved_time import Clock as MovedTime
from tests.status_boards import MODELS, Clock, board_of, ledger, records

# Beyond what is waited for on purpose; a machine that is busy with other tests is slow.
SLOW_S = 10.0


@pytest.fixture(params=["folder", "azurite"])
def container(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Container]:
    """Return an empty container of each kind."""
    with container_of(request, tmp_path) as found:
        yield found


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
    clock, beside = Clock(), SideWork(patience_s=0.01)
    seconds = MovedTime()
    board = StatusBoard(as_container(silent), "host-1", clock, seconds, beside)
    for scored in range(3):
        board.batch_ended(ledger(scored), MODELS, {})
        assert silent.asked.wait(60)
        assert board.can_write() == (scored == 0)
        clock.move(15)
        seconds.sleep(15)
    silent.released.set()
    assert board.settle(60)
    assert board.can_write()
    assert records(container, clock)["host-1"].counts["scored"] == 2


def test_a_record_that_is_merely_slow_is_no_full_disk(silent: SilentContainer) -> None:
    """It could be written, until it failed or is under way for more than eight seconds."""
    seconds, beside = MovedTime(), SideWork(patience_s=0.01)
    board = StatusBoard(as_container(silent), "host-1", Clock(), seconds, beside)
    board.batch_ended(ledger(), MODELS, {})
    assert silent.asked.wait(60)
    seconds.sleep(8)
    assert board.can_write()
    seconds.sleep(1)
    assert not board.can_write()


def test_a_record_that_failed_is_so_until_one_is_written(
    container: Container, silent: SilentContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next try under way does not make a full disk seem mended."""
    clock = Clock()
    board = StatusBoard(as_container(silent), "host-1", clock, writing=SideWork(patience_s=0.01))
    with monkeypatch.context() as patch:
        error = StorageUnavailableError("status", "host-1.json", "full")
        patch.setattr(silent, "put", Mock(side_effect=error), raising=False)
        board.batch_ended(ledger(), MODELS, {})
        assert board.settle(60)
    clock.move(15)
    board.batch_ended(ledger(), MODELS, {})
    assert silent.asked.wait(60)
    assert not board.can_write()
    silent.released.set()
    assert board.settle(60)
    assert (board.can_write(), len(list(container.list()))) == (True, 1)


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
