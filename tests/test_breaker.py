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
    """Return a breaker after a failure."""
    breaker = Breaker(clock)
    assert breaker.is_closed()
    breaker.failed("mend it")
    return breaker


def test_a_failure_opens_it_for_a_pause() -> None:
    """Nobody writes meanwhile, nor tries."""
    clock = Clock()
    breaker = opened(clock)
    assert (breaker.is_closed(), breaker.state()) == (False, "open")
    clock.now += 4.9
    assert not breaker.claim_trial()


def test_after_the_pause_one_at_a_time_tries() -> None:
    """The others go on leaving the store alone; a success closes the breaker for all."""
    clock = Clock()
    breaker = opened(clock)
    clock.now += 5.0
    assert breaker.claim_trial()
    assert not breaker.claim_trial()
    assert (breaker.is_closed(), breaker.state()) == (False, "trying")
    breaker.succeeded()
    assert (breaker.is_closed(), breaker.state()) == (True, "ok")


def test_a_closed_one_needs_no_trial() -> None:
    """Whoever asks writes anyway."""
    assert not Breaker(Clock()).claim_trial()


def test_pauses_double_up_to_a_minute() -> None:
    """A store that stays down, for weeks if need be, costs ever fewer trials."""
    clock = Clock()
    breaker = opened(clock)
    pauses = []
    for _ in range(2_000):
        start = clock.now
        while not (trial := breaker.claim_trial()):
            clock.now += 1.0
        pauses.append(clock.now - start)
        breaker.failed(trial=trial)
    assert pauses[:5] == [5.0, 10.0, 20.0, 40.0, 60.0]
    assert set(pauses[4:]) == {60.0}


def test_batches_that_began_before_it_opened_prolong_nothing() -> None:
    """Eight partitions that fail together are one failure."""
    clock = Clock()
    breaker = opened(clock)
    for _ in range(7):
        breaker.failed()
    clock.now += 5.0
    assert breaker.claim_trial()


def test_a_batch_that_fails_late_does_not_end_a_trial() -> None:
    """One store is tried by one at a time, and for its own pause."""
    clock = Clock()
    breaker = opened(clock)
    clock.now += 5.0
    trial = breaker.claim_trial()
    breaker.failed()
    assert (breaker.state(), breaker.claim_trial()) == ("trying", None)
    breaker.failed(trial=trial)
    clock.now += 10.0
    assert breaker.claim_trial()


def test_a_trial_that_nobody_hears_of_is_given_up() -> None:
    """Another one may begin; should the first end after all, it counts for nothing."""
    clock = Clock()
    breaker = opened(clock)
    clock.now += 5.0
    lost = breaker.claim_trial()
    clock.now += 299.0
    assert breaker.claim_trial() is None
    clock.now += 1.0
    found = breaker.claim_trial()
    assert found not in {None, lost}
    breaker.failed(trial=lost)
    assert breaker.state() == "trying"


def test_a_success_forgets_the_failures_before_it() -> None:
    """The next outage begins with a short pause again."""
    clock = Clock()
    breaker = opened(clock)
    clock.now += 5.0
    breaker.failed(trial=breaker.claim_trial())
    clock.now += 10.0
    assert breaker.claim_trial()
    breaker.succeeded()
    breaker.failed()
    clock.now += 5.0
    assert breaker.claim_trial()


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


def test_a_store_that_is_busy_is_written_to() -> None:
    """It is there: failures before are forgotten."""
    breaker = opened(Clock())
    breaker.throttled("wait")
    assert breaker.is_closed()
    breaker.failed()
    assert breaker.state() == "open"
