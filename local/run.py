"""Runs the main job on this machine alone: fit, publish, start the app, stream, account."""

import argparse
import os
import shutil
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from rich.console import Console

from local.accounts import account
from local.app_process import AppProcess, running_app
from local.azurite import running_azurite
from local.environment import process_environment
from local.log import EventLog, log_path
from local.run_source import RunSource, recorded_source, simulated_source
from local.run_summary import closing_line, print_summary, read_stored
from local.run_watch import Watch
from replay.local_hub import LocalSender
from replay.send_command import stop_signal
from replay.sending import SendError, send_stream
from scoring.app import SCORES_FILE
from scoring.dead_letters import CONTAINER, DeadLetters
from scoring.errors import ScoringError
from scoring.registry import Registry
from scoring.settings import SETTINGS, Settings, load_settings
from scoring.storage import open_storage
from training.fitting import fit

_DEFAULT_FOLDER = Path(".local/run")
# Stays as the user set it; everything else is this machine's.
_KEPT = {"TIME_TIE_BREAK", "MISSING_FEATURES", "ATTRIBUTION_MAX_READINGS", "FAST_DECODING"}
# After the last reading is sent the app needs a moment; this long without progress is a fault.
_DRAIN_PATIENCE_S = 60.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the main job; returns 0 if every reading is accounted for."""
    options = _parser().parse_args(arguments)
    console = Console(highlight=False, soft_wrap=True)
    try:
        return _run(options, console)
    except (ScoringError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.run", description=__doc__)
    parser.add_argument("--data", help="CSV or Parquet recording; none: a simulated fleet")
    parser.add_argument("--features", help="the recording's feature columns, by comma")
    for role in ("time", "sensor", "label"):
        parser.add_argument(f"--{role}", help=f"the recording's {role} column")
    parser.add_argument("--seconds", help="stop by itself after these")
    parser.add_argument("--store", default="folder", help="folder or azurite")
    parser.add_argument("--port", default="7071", help="of the app; another one if it is taken")
    return parser


def _run(options: argparse.Namespace, console: Console) -> int:
    seconds = float(options.seconds) if options.seconds else None
    if options.store not in {"", "folder", "azurite"}:
        raise ScoringError(f"STORE is {options.store!r}; use folder or azurite")
    source = _source(options)
    console.print(f"[bold]{source.title}[/bold]\n{source.said}")
    with ExitStack() as stack:
        stop = stack.enter_context(stop_signal())
        folder = _prepare_folder()
        environment = stack.enter_context(_environment(folder, options.store))
        settings = load_settings(environment)
        _publish_model(source, settings, console)
        app = stack.enter_context(
            running_app(environment, folder / "app.log", _free_port(options.port))
        )
        _say_where(console, app, folder)
        log = stack.enter_context(EventLog(log_path(folder, settings.event_hub_name)))
        watch = stack.enter_context(Watch(log, folder / SCORES_FILE, source.total, console))
        started = time.monotonic()
        with closing(
            LocalSender(app.url, settings.event_hub_name, sleep=stop.wait, should_stop=stop.is_set)
        ) as sender:
            try:
                send_stream(
                    source.messages,
                    sender,
                    pace=source.pace,
                    seconds=seconds,
                    sleep=stop.wait,
                    progress=watch.sent,
                    should_stop=stop.is_set,
                )
            except SendError:
                if not stop.is_set():  # ended on purpose in the middle of an attempt
                    raise
        _drain(log, watch, str(SETTINGS["EVENT_HUB_CONSUMER_GROUP"].default))
        elapsed = time.monotonic() - started
        watch.close()
        return _account(log, settings, source, elapsed, console)


def _source(options: argparse.Namespace) -> RunSource:
    if not options.data:
        return simulated_source()
    return recorded_source(
        Path(options.data),
        features=[name.strip() for name in options.features.split(",")]
        if options.features
        else None,
        time_column=options.time or None,
        sensor=options.sensor or None,
        label=options.label or None,
    )


def _prepare_folder() -> Path:
    """Return a data folder: the user's own as it is, or ours, emptied."""
    own = process_environment().variables().get("DATA_DIR")
    if own:
        return Path(own).resolve()
    shutil.rmtree(_DEFAULT_FOLDER, ignore_errors=True)
    return _DEFAULT_FOLDER.resolve()


@contextmanager
def _environment(folder: Path, store: str) -> Iterator[Mapping[str, str]]:
    """Give the settings of a run on this machine alone, with Azurite running if asked for."""
    blank = {name: "" for name in SETTINGS if name not in _KEPT}
    variables = process_environment().variables()
    kept = {name: variables[name] for name in _KEPT if name in variables}
    settings = {**blank, **kept, "DATA_DIR": str(folder), "WEBSITE_INSTANCE_ID": ""}
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
            source=source.title,
        )
        models = open_storage(settings).container(settings.model_container_name)
        Registry(models).publish(artifact.manifest, artifact.data)
    version = artifact.manifest.version
    console.print(
        f"fitted    an isolation forest on {len(source.fit_on):,} readings,"
        f" published as {settings.model_name}/{version}"
    )


def _free_port(asked: str) -> int:
    port = int(asked or 7071)
    with socket.socket() as probe:
        return 0 if probe.connect_ex(("127.0.0.1", port)) == 0 else port


def _say_where(console: Console, app: AppProcess, folder: Path) -> None:
    console.print(f"health    {app.url}/api/health")
    console.print(f"score     POST {app.url}/api/score")
    console.print(f"data      {_relative(folder)} (scores in {SCORES_FILE}, log in app.log)\n")


def _relative(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def _drain(log: EventLog, watch: Watch, group: str) -> None:
    """Wait until everything sent is scored, for as long as it goes forward."""
    left = log.backlog(group)
    moved = time.monotonic()
    while left and time.monotonic() - moved < _DRAIN_PATIENCE_S:
        time.sleep(0.1)
        watch.look()
        before, left = left, log.backlog(group)
        if left < before:
            moved = time.monotonic()


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
