"""Tests of replay.progress: a person sees how far it is."""

import io

from replay.progress import progress_bar
from tests.moved_time import Clock


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Pretend."""
        return True


def test_a_log_gets_a_line_every_few_seconds(clock: Clock) -> None:
    """Not one a batch."""
    stream = io.StringIO()
    with progress_bar("sending", 4000, stream=stream, clock=clock) as advance:
        for done in range(0, 4000, 100):
            clock.now += 0.5
            advance(done)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "sending: 900 of 4,000 readings"
    assert len(lines) == 4


def test_a_terminal_gets_a_bar() -> None:
    """With the count beside it."""
    stream = Terminal()
    with progress_bar("sending", 20, stream=stream) as advance:
        advance(20)
    assert "20 of 20 readings" in stream.getvalue()
