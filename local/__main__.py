"""The command ``python -m local``: runs function_app without the Functions host."""

import argparse
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from local.arguments import DEFAULT_PORT, port_number
from local.environment import process_environment
from local.functions import FoundFunctions, find_functions, import_app
from local.host import LocalHost
from local.host_json import read_host_json
from local.log import DEFAULT_PARTITIONS
from local.server import LoopbackServer
from scoring.errors import ScoringError

STOP_TIMEOUT_S = 30.0  # a batch takes seconds; a longer one comes again

_logger = logging.getLogger("local")


def main(arguments: list[str] | None = None) -> int:
    """Run the app in the current folder until SIGTERM or Ctrl-C; return the exit status."""
    options = _options(arguments)
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    logging.getLogger("azure").setLevel(logging.WARNING)  # the SDKs tell of every request
    stop = threading.Event()
    _on_signals(stop)
    if options.until_stdin_closes:
        threading.Thread(target=_wait_for_end_of_stdin, args=[stop], daemon=True).start()
    try:
        _run(options, stop)
    except ScoringError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local",
        description="Runs the Function App in this folder without the Functions host.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    parser.add_argument("--port", type=port_number, default=DEFAULT_PORT, help="0 takes a free one")
    parser.add_argument(
        "--partitions",
        type=int,
        default=DEFAULT_PARTITIONS,
        help="of each event hub, fixed when its log is made",
    )
    # for a process that starts this one and may be killed: the system then closes its pipe
    parser.add_argument("--until-stdin-closes", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if not 1 <= options.partitions <= 32:  # noqa: PLR2004  Event Hubs' own limit below Dedicated
        parser.error("--partitions must be 1 to 32")
    return options


def _on_signals(stop: threading.Event) -> None:
    def handle(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)  # a second one ends the process at once

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)


def _wait_for_end_of_stdin(stop: threading.Event) -> None:
    # not sys.stdin: a thread inside its buffer would break the end of the process
    while os.read(0, 1):
        pass
    stop.set()


def _run(options: argparse.Namespace, stop: threading.Event) -> None:
    server = LoopbackServer(options.host, options.port)
    environment = process_environment()
    folder = Path.cwd()
    found = find_functions(import_app(folder), environment)
    data_dir = Path(environment.get("DATA_DIR") or ".local").resolve()
    host = LocalHost(found, read_host_json(folder), data_dir, server, options.partitions)
    _describe(found, host, server.origin, data_dir, options.partitions)
    host.start()
    print(f"listening on {server.origin}", flush=True)
    while not stop.wait(1.0):  # a wait without an end would not see Ctrl-C on Windows
        pass
    _logger.info("stopping; waiting up to %.0f s for what is in progress", STOP_TIMEOUT_S)
    host.stop(STOP_TIMEOUT_S)


def _describe(
    found: FoundFunctions, host: LocalHost, origin: str, data_dir: Path, partitions: int
) -> None:
    print("functions:")
    for function in found.event_hub:
        print(f"  {function.target.name}: events of {function.hub} as {function.consumer_group}")
    for timer in found.timers:
        print(f"  {timer.target.name}: timer {timer.schedule}")
    for route in host.router.routes:
        methods = ",".join(sorted(route.function.methods or ["any method"]))
        print(f"  {route.function.target.name}: {methods} {origin}{route.template}")
    for name in found.disabled:
        print(f"  {name}: disabled")
    for unsupported in found.unsupported:
        name, binding = unsupported.target.name, unsupported.binding
        _logger.warning("%s is skipped: %s cannot be served here", name, binding)
    for hub, log in host.logs.items():
        print(f"events: POST {origin}/{hub}/messages ({log.partitions} partitions)")
        if log.partitions != partitions:
            _logger.warning("%s keeps its %d partitions", log.path, log.partitions)
    print(f"data: {data_dir}")


if __name__ == "__main__":
    sys.exit(main())
