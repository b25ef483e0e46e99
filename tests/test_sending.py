"""Tests of replay.sending: the pace, the batches, the end of a stream."""

from collections.abc import Iterator, Sequence
from itertools import count

import msgspec
import numpy as np
import pytest

from replay.sending import (
    BATCH_BYTES,
    TICK_S,
    Message,
    SendError,
    at_rate,
    at_recording_pace,
    recording_messages,
    send_stream,
    simulation_messages,
)
from replay.simulation import Simulation, load_features, simulate
from tests.moved_time import Clock


class MemorySender:
    """Keeps what is sent with the time of it; sending can take time and fail."""

    def __init__(self, clock: Clock, seconds_a_batch: float = 0.0, fails_at: int = -1) -> None:
        self.clock = clock
        self.seconds_a_batch = seconds_a_batch
        self.fails_at = fails_at
        self.batches: list[tuple[float, list[Message]]] = []

    def send(self, messages: Sequence[Message]) -> None:
        """Keep them, or fail."""
        if len(self.batches) == self.fails_at:
            raise SendError("memory", "full", "empty it")
        self.batches.append((self.clock.now - 1000.0, list(messages)))
        self.clock.now += self.seconds_a_batch

    def close(self) -> None:
        """Do nothing."""

    @property
    def sent_at(self) -> list[float]:
        """When each message was sent, after the start."""
        return [moment for moment, batch in self.batches for _message in batch]


def numbered(n: int | None = None, interval_s: float = 1.0) -> Iterator[Message]:
    """Yield messages with a number as body, endlessly or `n`."""
    numbers = count() if n is None else range(n)
    return (Message("p", str(i).encode(), round(i * interval_s * 1e9)) for i in numbers)


def test_without_a_pace_full_batches_follow_each_other(clock: Clock) -> None:
    """The last batch holds the rest; order is kept."""
    sender = MemorySender(clock, seconds_a_batch=0.5)
    report = send_stream(numbered(25), sender, batch_size=10, clock=clock, sleep=clock.sleep)
    assert [len(batch) for _moment, batch in sender.batches] == [10, 10, 5]
    bodies = [int(message.body) for _moment, batch in sender.batches for message in batch]
    assert bodies == list(range(25))
    assert (report.sent, report.batches, report.seconds) == (25, 3, 1.5)


def test_a_rate_sends_each_reading_when_it_is_due(clock: Clock) -> None:
    """Never early, and late by no more than one tick."""
    sender = MemorySender(clock)
    send_stream(numbered(500), sender, pace=at_rate(100), clock=clock, sleep=clock.sleep)
    late = np.array(sender.sent_at) - np.arange(500) / 100
    assert late.min() > -1e-6
    assert late.max() < TICK_S + 1e-6


def test_a_rate_does_not_drift_when_sending_takes_time(clock: Clock) -> None:
    """Targets count from the start: delays do not add up."""
    sender = MemorySender(clock, seconds_a_batch=0.01)
    report = send_stream(numbered(3001), sender, pace=at_rate(10), clock=clock, sleep=clock.sleep)
    assert report.seconds == pytest.approx(300.0, abs=0.1)


def test_a_high_rate_goes_out_in_batches_of_a_tick(clock: Clock) -> None:
    """Not one request a reading."""
    sender = MemorySender(clock)
    report = send_stream(
        numbered(10_000), sender, pace=at_rate(5000), clock=clock, sleep=clock.sleep
    )
    assert report.seconds == pytest.approx(2.0, abs=0.1)
    assert report.batches <= 2.0 / TICK_S + 2


def test_a_sender_that_cannot_keep_up_gets_full_batches(clock: Clock) -> None:
    """What is overdue is sent at once, without a wait."""
    sender = MemorySender(clock, seconds_a_batch=1.0)
    report = send_stream(
        numbered(1000), sender, pace=at_rate(1000), batch_size=100, clock=clock, sleep=clock.sleep
    )
    assert [len(batch) for _moment, batch in sender.batches[1:-1]] == [100] * (report.batches - 2)
    assert report.seconds == pytest.approx(report.batches, abs=0.1)


@pytest.mark.parametrize("speed", [1.0, 10.0])
def test_the_recordings_own_pace_keeps_its_distances(clock: Clock, speed: float) -> None:
    """Ten times the speed is a tenth of the distance; a pause is a pause."""
    times_s = [100, 101, 101, 160]
    messages = [Message("p", b"{}", t * 10**9) for t in times_s]
    sender = MemorySender(clock)
    send_stream(messages, sender, pace=at_recording_pace(speed), clock=clock, sleep=clock.sleep)
    assert np.diff(sender.sent_at) * speed == pytest.approx([1.0, 0.0, 59.0], abs=TICK_S * speed)


def test_a_limit_ends_the_stream(clock: Clock) -> None:
    """An endless simulation included."""
    sender = MemorySender(clock)
    assert send_stream(numbered(), sender, limit=1234, clock=clock, sleep=clock.sleep).sent == 1234


def test_seconds_end_the_stream_in_time(clock: Clock) -> None:
    """It does not wait for a reading that is due later."""
    sender = MemorySender(clock)
    pace = at_recording_pace()
    report = send_stream(
        numbered(interval_s=7.0), sender, pace=pace, seconds=20.0, clock=clock, sleep=clock.sleep
    )
    assert (report.sent, report.seconds) == (3, 20.0)


def test_stopping_sends_what_was_due_and_counts_it(clock: Clock) -> None:
    """Ctrl-C during a wait: nothing that was taken from the stream and due is lost."""
    sender = MemorySender(clock)
    report = send_stream(
        numbered(),
        sender,
        pace=at_rate(10),
        clock=clock,
        sleep=clock.sleep,
        should_stop=lambda: clock.now >= 1002.0,
    )
    assert report.sent == len(sender.sent_at)
    assert 19 <= report.sent <= 21


def test_a_batch_ends_before_it_is_too_large(clock: Clock) -> None:
    """A publication to Event Hubs has a limit of bytes; a larger reading goes alone."""
    bodies = [b"x" * 300_000] * 5 + [b"y" * BATCH_BYTES * 2, b"z"]
    sender = MemorySender(clock)
    send_stream([Message("p", body, 0) for body in bodies], sender, clock=clock, sleep=clock.sleep)
    assert [len(batch) for _moment, batch in sender.batches] == [2, 2, 1, 1, 1]


def test_progress_counts_only_what_was_committed(clock: Clock) -> None:
    """When a batch fails, what was told before it is what arrived."""
    told: list[int] = []
    sender = MemorySender(clock, fails_at=2)
    with pytest.raises(SendError, match="memory: full; empty it"):
        send_stream(
            numbered(50),
            sender,
            batch_size=10,
            clock=clock,
            sleep=clock.sleep,
            progress=told.append,
        )
    assert told == [10, 20]


def test_messages_of_a_recording_come_in_time_order() -> None:
    """The key is the sensor id."""
    recording = simulate(load_features(), 2, 3).take(np.array([5, 0, 3, 1]))
    messages = list(recording_messages(recording))
    assert [message.key for message in messages] == [
        "station-01", "station-02", "station-02", "station-02",
    ]  # fmt: skip
    assert [message.event_time_ns for message in messages] == [0, 0, 10**9, 2 * 10**9]
    assert msgspec.json.decode(messages[0].body)["sensor_id"] == "station-01"


def test_messages_of_a_simulation_never_end() -> None:
    """Time goes on evenly over the chunks."""
    messages = simulation_messages(Simulation(load_features(), n_stations=1))
    times = [next(messages).event_time_ns for _ in range(1000)]
    assert times == [i * 10**9 for i in range(1000)]
