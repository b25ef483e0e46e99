"""Sends readings to an event hub at a chosen pace."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from math import inf
from typing import Protocol

import numpy as np
import numpy.typing as npt

from replay.recordings import Recording, reading_bodies
from replay.simulation import Simulation
from scoring.errors import ScoringError

BATCH_READINGS = 500
BATCH_BYTES = 640 * 1024  # an Event Hubs publication holds 1 MiB; quotes inside JSON take two bytes
TICK_S = 0.05  # what falls due within it goes out together: at most 20 batches a second when paced
SIMULATED_AT_ONCE = 64  # steps: few enough to start at once, enough to be fast

# From a message's index and event time in ns to the seconds after the start at which it is due.
Pace = Callable[[int, int], float]


class SendError(ScoringError):
    """Readings could not be sent; none of the last batch counts as sent."""

    def __init__(self, target: str, found: str, remedy: str) -> None:
        self.target = target
        super().__init__(f"sending to {target}: {found}; {remedy}")


@dataclass(frozen=True, slots=True)
class Message:
    """One reading on its way.

    Parameters
    ----------
    key : str
        The partition key: the sensor id, so that a sensor's readings stay in order.
    body : bytes
        UTF-8 JSON.
    event_time_ns : int
        Nanoseconds since 1970; paces a replay.
    """

    key: str
    body: bytes
    event_time_ns: int


class Sender(Protocol):
    """Puts readings into an event hub.

    Delivery: at least once. `send` returns once all readings are committed; if it raises, some
    may be, and sending them again does no harm, because a reading's identity is its model,
    sensor and event time.
    """

    def send(self, messages: Sequence[Message]) -> None:
        """Commit these readings, in their order for each key, or raise SendError."""

    def close(self) -> None:
        """Let go of the connection."""


@dataclass(frozen=True, slots=True)
class SendReport:
    """What was sent: readings and batches that were committed, and the seconds it took."""

    sent: int
    batches: int
    seconds: float


def as_fast_as_possible() -> Pace:
    """Let everything be due at once."""
    return lambda _index, _event_time_ns: 0.0


def at_rate(readings_per_second: float) -> Pace:
    """Let readings be due at even distances."""
    return lambda index, _event_time_ns: index / readings_per_second


def at_recording_pace(speed: float = 1.0) -> Pace:
    """Let readings be due as far apart as they were recorded, or `speed` times as close."""
    first: list[int] = []

    def due_s(_index: int, event_time_ns: int) -> float:
        if not first:
            first.append(event_time_ns)
        return (event_time_ns - first[0]) / 1e9 / speed

    return due_s


def recording_messages(
    recording: Recording, rows: npt.NDArray[np.intp] | None = None
) -> Iterator[Message]:
    """Turn readings into messages.

    Parameters
    ----------
    recording : Recording
        Where they come from.
    rows : ndarray of row numbers, optional
        Which ones, in which order; by default all, in time order.
    """
    if rows is None:
        rows = np.argsort(recording.event_time_ns, kind="stable")
    times = recording.event_time_ns[rows].tolist()
    bodies = reading_bodies(recording, rows)
    for row, body, event_time_ns in zip(rows.tolist(), bodies, times, strict=True):
        yield Message(recording.sensor_ids[row], body, event_time_ns)


def simulation_messages(simulation: Simulation) -> Iterator[Message]:
    """Go on with a simulation for ever."""
    for _ in count():
        yield from recording_messages(simulation.next(SIMULATED_AT_ONCE))


def send_stream(
    messages: Iterable[Message],
    sender: Sender,
    *,
    pace: Pace | None = None,
    batch_size: int = BATCH_READINGS,
    limit: int | None = None,
    seconds: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
    progress: Callable[[int], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> SendReport:
    """Send messages, maybe without end, in batches, each when it is due by its `pace`.

    Parameters
    ----------
    batch_size, limit : int
        Most readings at once, and in all.
    seconds, clock, sleep
        When to end, and what tells and passes the time; in seconds, only differences count.
    progress : callable, optional
        Called with the number sent so far, after each batch.
    should_stop : callable
        Asked before each wait and each batch; ends the stream without an error.

    Raises
    ------
    SendError
        A batch could not be sent; `progress` was told what went before it.
    """
    stream = _Stream(sender, batch_size, clock, progress or (lambda _sent: None))
    span = _Span(clock, sleep, should_stop, inf if seconds is None else stream.start + seconds)
    for message in _in_time(islice(messages, limit), pace or as_fast_as_possible(), stream, span):
        stream.add(message)
    stream.flush()
    return SendReport(stream.sent, stream.batches, clock() - stream.start)


def _in_time(
    messages: Iterable[Message], pace: Pace, stream: "_Stream", span: "_Span"
) -> Iterator[Message]:
    """Yield each message when it is due; what goes before it is sent first.

    It is due at the start plus its pace, so that delays do not add up; it goes out at most
    `TICK_S` later unless the sender cannot keep up.
    """
    for index, message in enumerate(messages):
        if span.should_stop():
            break
        due = stream.start + pace(index, message.event_time_ns)
        if due > span.clock():
            stream.flush()
            span.wait_until(max(due, stream.next_tick))
        if span.is_over():
            break
        yield message


@dataclass(frozen=True, slots=True)
class _Span:
    """The time that a stream may take."""

    clock: Callable[[], float]
    sleep: Callable[[float], object]
    should_stop: Callable[[], bool]
    end: float

    def is_over(self) -> bool:
        return self.clock() >= self.end or self.should_stop()

    def wait_until(self, moment: float) -> None:
        """Wait, though not beyond the end."""
        until = min(moment, self.end)
        while (left := until - self.clock()) > 0 and not self.should_stop():
            self.sleep(left)


class _Stream:
    """The batch that is being filled, and the counts."""

    def __init__(
        self,
        sender: Sender,
        batch_size: int,
        clock: Callable[[], float],
        progress: Callable[[int], None],
    ) -> None:
        self._sender = sender
        self._batch_size = batch_size
        self._clock = clock
        self._progress = progress
        self._batch: list[Message] = []
        self._n_bytes = 0
        self.start = self.next_tick = clock()
        self.sent = 0
        self.batches = 0

    def add(self, message: Message) -> None:
        """Put one more message into the batch; send the batch when it is full."""
        if self._n_bytes + len(message.body) > BATCH_BYTES:
            self.flush()
        self._batch.append(message)
        self._n_bytes += len(message.body)
        if len(self._batch) >= self._batch_size:
            self.flush()

    def flush(self) -> None:
        """Send what there is."""
        if not self._batch:
            return
        self._sender.send(self._batch)
        self.sent += len(self._batch)
        self.batches += 1
        self._batch, self._n_bytes = [], 0
        self.next_tick = self._clock() + TICK_S
        self._progress(self.sent)
