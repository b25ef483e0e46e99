"""Tests of scoring.shared_looks: many ask, one looks, and nobody waits long."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from scoring import shared_looks
from scoring.shared_looks import Outcome, SharedLook, Work
from tests.moved_time import Clock

# Beyond what is waited for on purpose; a machine that is busy with other tests is slow.
SLOW_S = 10.0
N_ASKERS = 8


def inline(work: Work) -> None:
    """Look where it is asked for."""
    work()


class Finder:
    """Finds how often it looked; each time as well as it is told, and once it is released."""

    def __init__(self) -> None:
        self.n = 0
        self.is_good = True
        self.error: Exception | None = None
        self.released = threading.Event()
        self.released.set()

    def __call__(self) -> Outcome[int]:
        """Look."""
        self.n += 1
        found, is_good = self.n, self.is_good
        assert self.released.wait(60)
        if self.error is not None:
            raise self.error
        return found, is_good


@pytest.fixture
def find() -> Iterator[Finder]:
    """Make one that lets go of its threads at the end."""
    found = Finder()
    yield found
    found.released.set()


def asked(look: SharedLook[int]) -> int | None:
    """Ask once."""
    return look.begin().found()


def seconds_of(ask: Callable[[], object]) -> float:
    """Tell how long something takes."""
    began = time.monotonic()
    ask()
    return time.monotonic() - began


@pytest.mark.parametrize("is_good", [True, False])
def test_all_who_ask_at_once_share_one_look(find: Finder, *, is_good: bool) -> None:
    """Also one that fails: they do not repeat it one by one."""
    look = SharedLook(find)
    find.is_good = is_good
    find.released.clear()
    with ThreadPoolExecutor(N_ASKERS) as pool:
        asking = [pool.submit(look.begin().found) for _ in range(N_ASKERS)]
        find.released.set()
        assert [one.result(60) for one in asking] == [1] * N_ASKERS
    assert find.n == 1


@pytest.mark.parametrize(("is_good", "seconds"), [(True, 1.0), (False, 5.0)])
def test_an_outcome_counts_for_a_while(find: Finder, *, is_good: bool, seconds: float) -> None:
    """A failure for longer: what was just out of reach mostly still is."""
    clock = Clock()
    look = SharedLook(find, clock, inline)
    find.is_good = is_good
    assert asked(look) == 1
    clock.sleep(seconds - 0.1)
    assert asked(look) == 1
    clock.sleep(0.1)
    assert asked(look) == 2


def test_nobody_waits_longer_than_8_seconds_after_a_look_began(find: Finder) -> None:
    """Whoever comes later does not wait at all, and no second look is begun."""
    clock = Clock()
    look = SharedLook(find, clock)
    find.released.clear()
    begun = look.begin()
    clock.sleep(8.0)
    assert seconds_of(begun.found) < SLOW_S
    assert asked(look) is None
    assert find.n == 1


def test_a_look_is_waited_for_until_then(find: Finder, monkeypatch: pytest.MonkeyPatch) -> None:
    """In real seconds; what was found after that is told to the next."""
    monkeypatch.setattr(shared_looks, "PATIENCE_S", 0.2)
    look = SharedLook(find)
    find.released.clear()
    assert seconds_of(lambda: asked(look)) >= 0.19
    begun = look.begin()
    find.released.set()
    assert begun._found.result(60) == 1
    assert asked(look) == 1


def test_after_a_failure_nobody_waits_long(find: Finder) -> None:
    """Threads are few: an outage holds them up once, until a look is good again."""
    clock = Clock()
    look = SharedLook(find, clock, inline)
    for is_good, patience_s in ((False, 8.0), (True, 2.0), (True, 8.0)):
        find.is_good = is_good
        assert look.begin()._patient_until - clock.now == patience_s
        clock.sleep(5.0)


def test_an_error_is_raised_to_all_who_ask(find: Finder, caplog: pytest.LogCaptureFixture) -> None:
    """It stands in the log too, for maybe nobody waits any more; later it is tried again."""
    clock = Clock()
    look = SharedLook(find, clock, inline)
    find.error = ZeroDivisionError("a fault of this app")
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            asked(look)
    assert find.n == 1
    assert caplog.text.count("a look failed") == 1
    find.error = None
    clock.sleep(5.0)
    assert asked(look) == 2


def test_without_a_thread_nobody_waits(find: Finder, caplog: pytest.LogCaptureFixture) -> None:
    """As under a limit of threads; it is tried again after five seconds."""

    def none(work: Work) -> None:
        raise RuntimeError("can't start new thread")

    clock = Clock()
    look = SharedLook(find, clock, none)
    assert seconds_of(lambda: asked(look)) < shared_looks.PATIENCE_S
    assert "can't start new thread" in caplog.text
    look._background = inline
    assert asked(look) is None
    clock.sleep(5.0)
    assert asked(look) == 1
