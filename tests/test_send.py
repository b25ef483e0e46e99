"""Tests of sending: pace, delivery to the local app and to Event Hubs, the command."""

import io
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import msgspec
import numpy as np
import pytest
from azure.eventhub import EventHubProducerClient
from azure.identity import DefaultAzureCredential

from local.log import EventLog, StoredEvent, log_path
from replay.__main__ import main
from replay.event_hubs import EventHubsSender
from replay.local_hub import BATCH_TYPE, WAITS_S, LocalSender
from replay.progress import progress_bar
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
from tests.event_hubs_double import EventHubsDouble
from tests.http_double import Answer, HttpDouble, Request

REPOSITORY = Path(__file__).parents[1]
HUB = "plant"
DEADLINE_S = 60.0  # for a process to start on a busy machine
CONSUMER = """
import typing

import azure.functions as func

app = func.FunctionApp()


@app.event_hub_message_trigger(
    arg_name="events", event_hub_name="plant", connection="EventHubConnection",
    cardinality=func.Cardinality.MANY, data_type=func.DataType.BINARY,
)
def consume(events: typing.List[func.EventHubEvent]):
    pass
"""


class Clock:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let that much time pass."""
        self.now += seconds


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


@pytest.fixture
def clock() -> Clock:
    """Return a clock of its own for each test."""
    return Clock()


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


@contextmanager
def scripted_hub(*answers: int | None) -> Iterator[tuple[HttpDouble, LocalSender, list[float]]]:
    """Serve these answers, None ends the connection, then 201; tell what the sender waited."""
    left, waited = list(answers), list[float]()

    def respond(_: Request) -> Answer:
        status = left.pop(0) if left else 201
        if status is None:
            raise ConnectionAbortedError
        return Answer(status, body=b"why")

    with HttpDouble(respond).running() as server:
        sender = LocalSender(server.url, HUB, sleep=waited.append)
        try:
            yield server, sender, waited
        finally:
            sender.close()


def test_a_batch_is_posted_in_the_services_own_form() -> None:
    """Each event with its body as text and its partition key; one connection for all."""
    with scripted_hub() as (server, sender, _waited):
        sender.send([Message("pump 1", '{"°C":1}'.encode(), 0), Message("q", b"{}", 0)])
        sender.send([Message("q", b"{}", 0)])
    first = server.requests[0]
    assert (first.path, first.headers["Content-Type"]) == ("/plant/messages", BATCH_TYPE)
    assert msgspec.json.decode(first.body) == [
        {"Body": '{"°C":1}', "BrokerProperties": {"PartitionKey": "pump 1"}},
        {"Body": "{}", "BrokerProperties": {"PartitionKey": "q"}},
    ]
    assert len(server.requests) == 2
    assert len({request.client_port for request in server.requests}) == 1


@pytest.mark.parametrize(
    "fault", [pytest.param(503, id="unavailable"), pytest.param(None, id="no answer")]
)
def test_a_batch_without_a_201_is_sent_again(fault: int | None) -> None:
    """After 5xx and after an answer that did not arrive; the same bytes, after longer waits."""
    with scripted_hub(fault, fault) as (server, sender, waited):
        sender.send([Message("p", b"{}", 0)])
    assert len({request.body for request in server.requests}) == 1
    assert len(server.requests) == 3
    assert waited == list(WAITS_S[:2])


def test_an_answer_that_means_no_is_not_tried_again() -> None:
    """A 4xx says what to correct."""
    message = r"plant: answered 404: why; check the address"
    with scripted_hub(404) as (server, sender, waited), pytest.raises(SendError, match=message):
        sender.send([Message("p", b"{}", 0)])
    assert (len(server.requests), waited) == (1, [])


def test_any_other_success_is_no_commit() -> None:
    """Only 201 says that the batch is in the log."""
    with scripted_hub(200) as (_server, sender, _waited), pytest.raises(SendError, match="200"):
        sender.send([Message("p", b"{}", 0)])


def test_nobody_listening_ends_after_bounded_attempts() -> None:
    """The error says how to start the app."""
    waited: list[float] = []
    told: list[str] = []
    with scripted_hub() as (server, _sender, _waited):
        url = server.url
    sender = LocalSender(url, HUB, sleep=waited.append, on_retry=told.append)
    with pytest.raises(SendError, match=r"no answer .*python -m local"):
        sender.send([Message("p", b"{}", 0)])
    assert waited == list(WAITS_S)
    assert len(told) == len(WAITS_S)


def test_stopping_ends_the_attempts() -> None:
    """Ctrl-C does not wait for half a minute."""
    with scripted_hub(503, 503, 503) as (server, _sender, _waited):
        sender = LocalSender(server.url, HUB, should_stop=lambda: True)
        with pytest.raises(SendError, match="503"):
            sender.send([Message("p", b"{}", 0)])
        sender.close()
        assert len(server.requests) == 1


@pytest.mark.parametrize("url", ["https://127.0.0.1", "127.0.0.1:7071", "http://"])
def test_an_address_that_is_no_http_address_is_refused(url: str) -> None:
    """At once, with an example."""
    with pytest.raises(SendError, match=r"http://127\.0\.0\.1:7071"):
        LocalSender(url, HUB)


@pytest.fixture
def event_hubs() -> Iterator[tuple[EventHubsDouble, EventHubsSender]]:
    """Give an event hub that speaks AMQP, and a sender to it."""
    with EventHubsDouble(HUB) as double:
        environment = {"EventHubConnection": double.connection_string}
        sender = EventHubsSender.from_environment(HUB, environment)
        yield double, sender
        sender.close()


def test_event_hubs_gets_each_sensors_readings_under_its_key(
    event_hubs: tuple[EventHubsDouble, EventHubsSender],
) -> None:
    """One batch a key, in order."""
    double, sender = event_hubs
    sender.send([Message(key, b"%d" % i, 0) for i in range(100) for key in ("p", "q")])
    for key in ("p", "q"):
        bodies = [event.body for event in double.received if event.key == key]
        assert bodies == [b"%d" % i for i in range(100)]
    assert double.n_transfers == 2


def test_event_hubs_gets_more_batches_where_one_is_too_small(
    event_hubs: tuple[EventHubsDouble, EventHubsSender],
) -> None:
    """Ten readings of 300 kB are four batches of 1 MiB."""
    double, sender = event_hubs
    sender.send([Message("p", b"x" * 300_000, 0)] * 10)
    assert (len(double.received), double.n_transfers) == (10, 4)


def test_a_reading_too_large_for_event_hubs_is_named(
    event_hubs: tuple[EventHubsDouble, EventHubsSender],
) -> None:
    """The message holds its sensor and both sizes."""
    with pytest.raises(SendError, match=r"'p' has 2,000,000 bytes.*1,048,576"):
        event_hubs[1].send([Message("p", b"x" * 2_000_000, 0)])


def test_a_batch_that_event_hubs_refuses_raises() -> None:
    """After the library's own attempts; nothing of it counts."""
    with EventHubsDouble(HUB) as double:
        client = EventHubProducerClient.from_connection_string(
            double.connection_string, eventhub_name=HUB, retry_total=0
        )
        sender = EventHubsSender(client)
        double.is_refusing = True
        with pytest.raises(SendError, match=r"plant: .*refused"):
            sender.send([Message("p", b"{}", 0)])
        sender.close()
    assert double.received == []


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        pytest.param({}, "EventHubConnection__fullyQualifiedNamespace is set", id="nothing set"),
        pytest.param({"EventHubConnection": "secret"}, "no connection string", id="no connection"),
    ],
)
def test_a_missing_connection_is_an_error_that_keeps_secrets(
    environment: dict[str, str], words: str
) -> None:
    """It names what to set, never a value."""
    with pytest.raises(SendError, match=words) as caught:
        EventHubsSender.from_environment(HUB, environment)
    assert "secret" not in str(caught.value)


def test_a_namespace_is_entered_with_the_users_identity() -> None:
    """As the app's own trigger is, without a key."""
    environment = {"EventHubConnection__fullyQualifiedNamespace": "ns.servicebus.windows.net"}
    sender = EventHubsSender.from_environment(HUB, environment)
    assert sender._client._address.hostname == "ns.servicebus.windows.net"
    assert isinstance(sender._client._credential, DefaultAzureCredential)
    sender.close()


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


def environment_for(data_dir: Path) -> dict[str, str]:
    """Return an environment that keeps data in its own folder."""
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), "DATA_DIR": str(data_dir)}


def wait_for(condition: Callable[[], bool]) -> None:
    """Poll until the condition holds."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def local_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Run ``python -m local`` with an app that reads the hub; give its address and log."""
    folder = tmp_path_factory.mktemp("app")
    (folder / "function_app.py").write_text(CONSUMER)
    (folder / "host.json").write_text('{"version": "2.0"}')
    process = subprocess.Popen(
        [sys.executable, "-m", "local", "--port", "0"],
        cwd=folder,
        env=environment_for(folder / "data"),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process, process.stdout:
        lines = iter(process.stdout.readline, "")
        found = (re.fullmatch(r"listening on (\S+)\n", line) for line in lines)
        url = next(match[1] for match in found if match)
        yield url, log_path(folder / "data", HUB)
        process.terminate()
        process.wait(DEADLINE_S)


def logged(path: Path) -> list[StoredEvent]:
    """Return every event of the log, partition by partition."""
    with EventLog(path) as log:
        return [
            event for partition in range(log.partitions) for event in log.read(partition, -1, 10**6)
        ]


def test_a_recording_arrives_in_the_local_apps_log(
    local_app: tuple[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every reading once, each sensor's in time order under its key, and the counts say so."""
    url, log = local_app
    rows = [f"{60 - i},file-{i % 3},{i}.5" for i in range(60)]
    file = tmp_path / "r.csv"
    file.write_text("\n".join(["time,sensor_id,Flow Rate", *rows]))
    assert main(["send", str(file), "--url", url, "--hub", HUB, "--batch", "7"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("sent=60 ")
    assert "features   1: Flow Rate" in err
    for sensor in ("file-0", "file-1", "file-2"):
        events = [event for event in logged(log) if event.partition_key == sensor]
        readings = [msgspec.json.decode(event.body) for event in events]
        assert len(readings) == 20
        assert {reading["sensor_id"] for reading in readings} == {sensor}
        times = [reading["timestamp"] for reading in readings]
        assert times == sorted(times)


def test_a_simulation_arrives_at_its_rate_until_ctrl_c(local_app: tuple[str, Path]) -> None:
    """Ctrl-C ends with exit 0, and the count is what the log holds."""
    url, log = local_app
    before = len(logged(log))
    process = subprocess.Popen(
        [sys.executable, "-m", "replay", "send", "--simulate", "--rate", "200", "--stations", "2",
         "--url", url, "--hub", HUB],
        cwd=REPOSITORY,
        env=environment_for(REPOSITORY),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    with process:
        wait_for(lambda: len(logged(log)) > before + 100)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    match = re.match(r"sent=(\d+) ", out)
    assert match is not None
    assert int(match[1]) == len(logged(log)) - before


def test_a_simulation_stops_after_its_seconds(
    local_app: tuple[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """At its own pace: five stations, six steps within 0.55 s; fewer where starting takes long."""
    arguments = ["--simulate", "--interval", "0.1", "--seconds", "0.55"]
    assert main(["send", *arguments, "--url", local_app[0], "--hub", HUB]) == 0
    match = re.match(r"sent=(\d+) ", capsys.readouterr().out)
    assert match is not None
    assert int(match[1]) in range(5, 31)


def test_the_command_sends_to_event_hubs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the connection string from the variable that is named."""
    with EventHubsDouble(HUB) as double:
        monkeypatch.setenv("PLANT", double.connection_string)
        arguments = ["--simulate", "--pace", "fast", "--limit", "50", "--hub", HUB]
        connection = ["--to", "eventhubs", "--connection-string-env", "PLANT"]
        assert main(["send", *arguments, *connection]) == 0
    assert capsys.readouterr().out.startswith("sent=50 ")
    assert len(double.received) == 50


def test_a_hub_that_nobody_reads_is_an_error(
    local_app: tuple[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """The counts and the reason are shown, the exit code is 1."""
    arguments = ["--simulate", "--limit", "5", "--url", local_app[0], "--hub", "other"]
    assert main(["send", *arguments]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("sent=0 ")
    assert "answered 404" in err


@pytest.mark.parametrize("arguments", [[], ["r.csv", "--simulate"], ["r.csv", "--rate", "0"]])
def test_a_bad_call_of_send_is_refused_with_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exactly one source, and a rate above 0."""
    with pytest.raises(SystemExit, match="2"):
        main(["send", *arguments])
    assert "usage: python -m replay send" in capsys.readouterr().err
