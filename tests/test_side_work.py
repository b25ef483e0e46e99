"""Tests of scoring.side_work: nobody waits long for what is done beside the batches."""

import gc
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path

import pytest

from scoring.side_work import SideWork, Work

# Beyond what is waited for on purpose; a machine that is busy with other tests is slow.
SLOW_S = 10.0


def inline(work: Work) -> None:
    """Do work where it is asked for."""
    work()


def test_what_is_quick_is_done_when_the_caller_goes_on() -> None:
    """A host may freeze the process then."""
    done: list[str] = []
    side = SideWork(patience_s=60)
    side.do(lambda: done.append("quick"))
    assert done == ["quick"]
    assert side.settle(0)


def test_a_caller_waits_shortly_for_what_takes_long() -> None:
    """And is told that it is not done yet."""
    side, released = SideWork(patience_s=0.05), threading.Event()
    started = time.monotonic()
    side.do(lambda: _wait_for(released))
    assert time.monotonic() - started < SLOW_S
    assert not side.settle(0)
    released.set()
    assert side.settle(60)


def test_of_what_waits_for_long_work_the_newest_alone_is_done() -> None:
    """One after the other, and no caller waits for the work of another."""
    side, released = SideWork(patience_s=0), threading.Event()
    done: list[str] = []
    side.do(lambda: (_wait_for(released), done.append("first"))[0])
    side._patience_s = 600
    started = time.monotonic()
    for name in ("second", "third", "fourth"):
        side.do(lambda name=name: done.append(name))  # type: ignore[misc]  # a default binds it
    assert time.monotonic() - started < SLOW_S
    assert done == []
    released.set()
    assert side.settle(60)
    assert done == ["first", "fourth"]


def test_work_that_fails_keeps_no_other_from_being_done(caplog: pytest.LogCaptureFixture) -> None:
    """It stands in the log: nobody else hears of it."""
    done: list[str] = []
    side = SideWork(patience_s=60)
    side.do(lambda: done.remove("never there"))
    side.do(lambda: done.append("next"))
    assert done == ["next"]
    assert "ValueError" in caplog.text


def test_without_a_thread_the_caller_goes_on_and_the_next_tries_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As at the end of a process, or under a limit of threads."""

    def none(work: Work) -> None:
        raise RuntimeError("can't start new thread")

    side, done = SideWork(none, patience_s=600), []
    started = time.monotonic()
    side.do(lambda: done.append("lost"))
    assert time.monotonic() - started < SLOW_S
    assert "can't start new thread" in caplog.text
    side._background = inline
    side.do(lambda: done.append("next"))
    assert done == ["next"]


def test_what_is_used_no_more_is_not_kept_until_the_end_of_the_process() -> None:
    """Nor does its thread go on."""
    side = SideWork(patience_s=60)
    side.do(lambda: None)
    known = weakref.ref(side)
    del side
    for thread in threading.enumerate():
        if thread.name == "background":
            thread.join(60)
    gc.collect()
    assert known() is None


AT_EXIT = """
import sys, threading, time
from pathlib import Path
from scoring.side_work import SideWork
def work():
    time.sleep(float(sys.argv[2]))
    Path(sys.argv[1]).write_text("written")
side = SideWork(patience_s=0)
side.do(work)
"""


@pytest.mark.parametrize(("seconds", "is_written"), [("0.5", True), ("600", False)])
def test_the_end_of_a_process_waits_shortly_for_what_is_under_way(
    tmp_path: Path, seconds: str, *, is_written: bool
) -> None:
    """So that the last record is not lost, and a silent storage keeps no process."""
    file = tmp_path / "record"
    command = [sys.executable, "-c", AT_EXIT, str(file), seconds]
    ended = subprocess.run(command, check=True, timeout=60, capture_output=True)
    assert ended.stderr == b""
    assert file.exists() == is_written


def _wait_for(released: threading.Event) -> None:
    assert released.wait(60)
