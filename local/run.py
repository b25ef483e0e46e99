"""Runs the main job on this machine alone: fit, publish, start the app, stream, account."""

import argparse
import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from local.accounts import Accounts, account
from local.app_process import AppEndedError, AppProcess, running_app
from local.arguments import DEFAULT_PORT, duration_s, port_number
from local.azurite import running_azurite
from local.environment import process_environment
from local.log import EventLog, log_path
from local.run_folder import run_folder
from local.run_source import RunSource, recorded_source, simulated_source
from local.run_stream import drain, stream
from local.run_summary import closing_line, print_summary, read_stored
from local.run_watch import Watch
from local.terminal import own_terminal
from replay.columns import column_names
from replay.sending import SendError
from replay.stopping import ENDED_AT_ONCE, stop_signal
from scoring.app import SCORES_FILE
from scoring.azure_host import AZURE_MARKS
from scoring.dead_letters import CONTAINER, DeadLetters
from scoring.errors import ScoringError
from scoring.registry import Registry
from scoring.settings import SETTINGS, Settings, load_settings
from scoring.storage import open_storage
from training.fitting import fit

_DEFAULT_PARENT = ".local"
# Stays as the user set it; everything else is this machine's.
_KEPT = {"TIME_TIE_BREAK", "MISSING_FEATURES", "ATTRIBUTION_MAX_READINGS", "FAST_DECODING"}
_STOPPING = "stopping; what is sent is still being scored (Ctrl-C again ends at once)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the main job; returns 0 if every reading is accounted for."""
    options = _parser().parse_args(arguments)
    console = Console(highlight=False, soft_wrap=True)
    try:
        return _run(options, console)
    except (ScoringError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("ended at once; what was sent is not accounted for", file=sys.stderr)
        return ENDED_AT_ONCE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.run", description=__doc__)
    parser.add_argument("--data", help="CSV or Parquet recording; none: a simulated fleet")
    parser.add_argument("--features", help="the recording's feature columns, by comma")
    for role in ("time", "sensor", "label"):
        parser.add_argument(f"--{role}", help=f"the recording's {role} column")
    parser.add_argument("--seconds", type=duration_s, help="stop by itself after these")
    parser.add_argument("--store", default="folder", help="folder or azurite")
    parser.add_argument(
        "--port",
        type=port_number,
        default=DEFAULT_PORT,
        help="of the app; another one if it is taken",
    )
    parser.add_argument(
        "--take-terminal",
        action="store_true",
        help="see Ctrl-C alone, so that make, which runs this, does not fail of it",
    )
    return parser


def _run(options: argparse.Namespace, console: Console) -> int:
    with ExitStack() as stack:
        if options.take_terminal:
            stack.enter_context(own_terminal())
        stop = stack.enter_context(stop_signal(_STOPPING))
        source = _source(options, console)
        console.print(f"[bold]{escape(source.title)}[/bold]\n{escape(source.said)}")
        if stop.is_set():
            return _nothing_sent()
        folder = stack.enter_context(run_folder(_parent_folder()))
        environment = stack.enter_context(_environment(folder, options.store))
        settings = load_settings(environment)
        _publish_model(source, settings, console)
        if stop.is_set():
            return _nothing_sent()
        app = stack.enter_context(
            running_app(environment, folder / "app.log", _free_port(options.port))
        )
        _say_where(console, app, folder)
        log = stack.enter_context(EventLog(log_path(folder, settings.event_hub_name)))
        watch = stack.enter_context(Watch(log, folder / SCORES_FILE, source.total, console))
        started = time.monotonic()
        fault = None
        try:
            hub, seconds = settings.event_hub_name, options.seconds
            stream(source, app, watch, hub=hub, seconds=seconds, stop=stop)
            drain(log, str(SETTINGS["EVENT_HUB_CONSUMER_GROUP"].default), app, watch.look)
        except (AppEndedError, SendError) as error:
            fault = error
        elapsed = time.monotonic() - started
        watch.close()
        if fault is not None:
            print(f"error: {fault}", file=sys.stderr)
        status = _account(log, settings, source, elapsed, console)
        return status if fault is None else 1


def _source(options: argparse.Namespace, console: Console) -> RunSource:
    if not options.data:
        return simulated_source()
    with console.status("reading") as status:

        def progress(step: str) -> None:
            if console.is_terminal:
                status.update(escape(step))
            else:
                print(step, flush=True)

        return recorded_source(
            # leaves the ~ of an unknown user as it is, which Path.expanduser does not
            Path(os.path.expanduser(options.data)),  # noqa: PTH111 - see above
            features=column_names(options.features),
            time_column=options.time or None,
            sensor=options.sensor or None,
            label=options.label or None,
            progress=progress,
        )


def _parent_folder() -> Path:
    """Return where runs have their folders; beside the user's own model and scores, if any."""
    own = process_environment().variables().get("DATA_DIR")
    return Path(own or _DEFAULT_PARENT).resolve()


@contextmanager
def _environment(folder: Path, store: str) -> Iterator[Mapping[str, str]]:
    """Give the settings of a run on this machine alone, with Azurite running if asked for."""
    blank = {name: "" for name in SETTINGS if name not in _KEPT}
    variables = process_environment().variables()
    kept = {name: variables[name] for name in _KEPT if name in variables}
    settings = {**blank, **kept, "DATA_DIR": str(folder), **dict.fromkeys(AZURE_MARKS, "")}
    if store != "azurite":
        yield settings
        return
    with running_azurite(folder / "azurite") as azurite:
        yield settings | {"STORAGE_CONNECTION_STRING": azurite.connection_string}


def _publish_model(source: RunSource, settings: Settings, console: Console) -> None:
    with console.status(f"fitting an isolation forest on {len(source.fit_on):,} readings"):
        artifact = fit(
            source.fit_on,
            source.features,
            source.fit_options,
            name=settings.model_name,
            source=source.fit_source,
        )
        models = open_storage(settings).container(settings.model_container_name)
        Registry(models).publish(artifact.manifest, artifact.data)
    version = artifact.manifest.version
    console.print(
        f"fitted    an isolation forest on {len(source.fit_on):,} readings,"
        f" published as {settings.model_name}/{version}"
    )


def _free_port(port: int) -> int:
    with socket.socket() as probe:
        return 0 if probe.connect_ex(("127.0.0.1", port)) == 0 else port


def _say_where(console: Console, app: AppProcess, folder: Path) -> None:
    console.print(f"health    {app.url}/api/health")
    console.print(f"score     POST {app.url}/api/score")
    console.print(f"data      {_relative(folder)} (scores in {SCORES_FILE}, log in app.log)\n")


def _relative(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def _nothing_sent() -> int:
    print(closing_line(Accounts(sent=0, scored=0, collided=0), anomalies=0))
    return 0


def _account(
    log: EventLog, settings: Settings, source: RunSource, seconds: float, console: Console
) -> int:
    scores = settings.data_dir / SCORES_FILE
    dead_letters = DeadLetters(open_storage(settings).container(CONTAINER))
    accounts = account(log, scores, dead_letters)
    stored = read_stored(scores)
    print_summary(console, accounts, seconds, stored, source.truth)
    console.print(f"scores: {_relative(scores)}, table scores")
    if accounts.rejected:
        where = settings.data_dir / CONTAINER
        console.print(
            "dead letters: container dead-letter in Azurite"
            if settings.storage_connection_string
            else f"dead letters: {_relative(where)}"
        )
    print(closing_line(accounts, int(stored.flagged.sum())), flush=True)
    return 0 if accounts.lost == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
