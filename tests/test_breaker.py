"""A store that is down is left alone, and noticed when it is back."""

from scoring.breaker import Breaker


class Clock:
    """Monotonic seconds that are moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def opened(clock: Clock) -> Breaker:
    """Return a breaker after two failures."""
    breaker = Breaker(clock)
    for _ in range(2):
        assert breaker.may_try()
        breaker.failed()
    return breaker


def test_one_failure_is_a_hiccup() -> None:
    """The next batch tries again, and a success forgets the failure."""
    breaker = Breaker(Clock())
    breaker.failed()
    assert (breaker.may_try(), breaker.state()) == (True, "trying")
    breaker.succeeded()
    assert breaker.state() == "ok"
    breaker.failed()
    assert breaker.may_try()


def test_two_failures_in_a_row_open_it_for_a_pause() -> None:
    """Nobody tries meanwhile."""
    clock = Clock()
    breaker = opened(clock)
    assert (breaker.may_try(), breaker.state()) == (False, "open")
    clock.now += 4.9
    assert not breaker.may_try()


def test_after_the_pause_one_batch_tries() -> None:
    """The others do not wait for it; its success closes the breaker for all."""
    clock = Clock()
    breaker = opened(clock)
    clock.now += 5.0
    assert breaker.may_try()
    assert not breaker.may_try()
    breaker.succeeded()
    assert (breaker.may_try(), breaker.state()) == (True, "ok")


def test_pauses_double_up_to_a_minute() -> None:
    """A store that stays down costs ever fewer tries."""
    clock = Clock()
    breaker = opened(clock)
    pauses = []
    for _ in range(8):
        start = clock.now
        while not breaker.may_try():
            clock.now += 1.0
        pauses.append(clock.now - start)
        breaker.failed()
    assert pauses == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0, 60.0, 60.0]


def test_it_tells_what_to_look_at_while_something_is_wrong() -> None:
    """Of the last failure; a success forgets it."""
    breaker = Breaker(Clock())
    breaker.failed("check A")
    breaker.failed("check B")
    assert breaker.remedy() == "check B"
    breaker.throttled("give it more room")
    assert (breaker.state(), breaker.remedy()) == ("busy", "give it more room")
    breaker.succeeded()
    assert (breaker.state(), breaker.remedy()) == ("ok", "")


def test_a_store_that_is_busy_may_be_tried() -> None:
    """It is there: failures before are forgotten."""
    breaker = opened(Clock())
    breaker.throttled("wait")
    assert breaker.may_try()
    breaker.failed()
    assert breaker.state() == "trying"
