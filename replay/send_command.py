"""Runs ``python -m replay send``."""

import argparse
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from replay.columns import column_names
from replay.local_hub import LocalSender
from replay.progress import progress_bar
from replay.recordings import describe, read_recording
from replay.sending import (
    BATCH_READINGS,
    Message,
    Pace,
    Sender,
    SendError,
    as_fast_as_possible,
    at_rate,
    at_recording_pace,
    recording_messages,
    send_stream,
    simulation_messages,
)
from replay.simulate_command import (
    add_fleet_arguments,
    fleet,
    positive_float,
    positive_int,
    start_that_ends_now,
)
from replay.stopping import stop_signal

LOCAL_URL = "http://127.0.0.1:7071"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    what = parser.add_argument_group("what to send")
    what.add_argument("file", nargs="?", type=Path, help="recording, CSV or Parquet")
    what.add_argument("--columns", metavar="A,B", help="the recording's feature columns")
    for role in ("time", "sensor", "label"):
        what.add_argument(
            f"--{role}", metavar="COLUMN", help=f"its {role} column; none: it has none"
        )
    what.add_argument("--simulate", action="store_true", help="a simulation instead, without end")
    add_fleet_arguments(parser)
    where = parser.add_argument_group("where to")
    where.add_argument("--to", choices=("local", "eventhubs"), default="local")
    where.add_argument("--url", default=LOCAL_URL, help=f"of the local app ({LOCAL_URL})")
    where.add_argument("--hub", default="sensor-features", help="event hub (sensor-features)")
    where.add_argument(
        "--connection-string-env",
        default="EventHubConnection",
        metavar="NAME",
        help="variable with the Event Hubs connection string; NAME__fullyQualifiedNamespace"
        " instead enters with your Azure identity",
    )
    _add_pace_arguments(parser.add_argument_group("how fast"))


def _add_pace_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--rate", type=positive_float, metavar="N", help="readings a second")
    group.add_argument(
        "--pace",
        choices=("fast", "recording"),
        help="as fast as possible (a recording's default) or as event times say (a simulation's)",
    )
    group.add_argument(
        "--speed", type=positive_float, default=1.0, metavar="X", help="times --pace recording"
    )
    group.add_argument("--limit", type=positive_int, metavar="N", help="readings in all")
    group.add_argument("--seconds", type=positive_float, metavar="S", help="end after these")
    group.add_argument("--batch", type=positive_int, default=BATCH_READINGS, metavar="N")


def run(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Send until the end, a limit or Ctrl-C; return the exit code."""
    if (arguments.file is None) != arguments.simulate:
        raise argparse.ArgumentTypeError("name a recording, or --simulate")
    with stop_signal() as stop:
        messages, total = _simulated(arguments) if arguments.simulate else _recorded(arguments)
        with closing(_sender(arguments, environment, stop)) as sender:
            return _send(arguments, messages, total, sender, stop)


def _send(
    arguments: argparse.Namespace,
    messages: Iterator[Message],
    total: int | None,
    sender: Sender,
    stop: threading.Event,
) -> int:
    sent = 0
    start = time.monotonic()
    fault = None
    with progress_bar("sending", total) as advance:

        def count(done: int) -> None:
            nonlocal sent
            sent = done
            advance(done)

        try:
            send_stream(
                messages,
                sender,
                pace=_pace(arguments),
                batch_size=arguments.batch,
                limit=arguments.limit,
                seconds=arguments.seconds,
                sleep=stop.wait,
                progress=count,
                should_stop=stop.is_set,
            )
        except SendError as error:
            fault = error
    seconds = time.monotonic() - start
    sys.stdout.write(f"sent={sent} seconds={seconds:.1f} rate={sent / max(seconds, 1e-9):.0f}/s\n")
    if fault is not None:
        _say(str(fault))
    # After Ctrl-C an unsent rest is what was asked for.
    return 0 if fault is None or stop.is_set() else 1


def _recorded(arguments: argparse.Namespace) -> tuple[Iterator[Message], int]:
    recording = read_recording(
        arguments.file,
        features=column_names(arguments.columns),
        time=arguments.time,
        sensor=arguments.sensor,
        label=arguments.label,
        progress=_say,
    )
    _say(describe(recording.choice))
    total = min(len(recording), arguments.limit or len(recording))
    return recording_messages(recording), total


def _simulated(arguments: argparse.Namespace) -> tuple[Iterator[Message], int | None]:
    """Begin now where sending takes as long as the readings; end now where the end is known."""
    interval_s = arguments.interval
    start_ns = start_that_ends_now(1, interval_s)
    if arguments.rate is not None:
        interval_s = arguments.stations / arguments.rate
    elif arguments.limit is not None and (arguments.pace == "fast" or arguments.speed > 1):
        start_ns = start_that_ends_now(-(-arguments.limit // arguments.stations), interval_s)
    return simulation_messages(fleet(arguments, start_ns, interval_s)), arguments.limit


def _pace(arguments: argparse.Namespace) -> Pace:
    if arguments.rate is not None:
        return at_rate(arguments.rate)
    by_default = "recording" if arguments.simulate else "fast"
    if (arguments.pace or by_default) == "recording":
        return at_recording_pace(arguments.speed)
    return as_fast_as_possible()


def _sender(
    arguments: argparse.Namespace, environment: Mapping[str, str], stop: threading.Event
) -> Sender:
    if arguments.to == "local":
        return LocalSender(
            arguments.url,
            arguments.hub,
            sleep=stop.wait,
            should_stop=stop.is_set,
            on_retry=_say,
        )
    # Only this needs it, and it takes a second to import.
    from replay.event_hubs import EventHubsSender  # noqa: PLC0415 - see above

    return EventHubsSender.from_environment(
        arguments.hub, environment, arguments.connection_string_env
    )


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
