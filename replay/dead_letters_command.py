"""Runs ``python -m replay dead-letters``."""

import argparse
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from urllib.parse import urlsplit

import msgspec

from replay.dead_letters import Replay, ReplayCounts, Selection
from replay.letter_listing import letter_text, listing, printable
from replay.progress import progress_bar
from replay.simulate_command import positive_int
from replay.stopping import stop_signal
from scoring.app import ScoringApp, build_app
from scoring.dead_letters import CONTAINER, DeadLetters
from scoring.errors import ScoringError, SettingsError
from scoring.known_settings import SETTINGS, STORAGE_SETTINGS, STORE_SETTINGS
from scoring.settings import Settings, load_settings
from scoring.sinks.sqlite import SqliteSink
from scoring.storage import open_storage

_SHOWN = 20  # a screen or two
_STILL_REJECTED = 3
_MOST_NAMED = 5  # files and faults; the rest is counted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    actions = parser.add_subparsers(dest="action", required=True)
    one = actions.add_parser("list", help="count them by reason and by hub")
    one.add_argument("--json", action="store_true", help="as one JSON object")
    one.set_defaults(act=_list, uses=STORAGE_SETTINGS)
    show = actions.add_parser("show", help="print them, with the readings as they arrived")
    _add_selection(show, f"most letters to print ({_SHOWN})")
    show.add_argument("--json", action="store_true", help="as NDJSON, as they are stored")
    show.set_defaults(act=_show, limit=_SHOWN, uses=STORAGE_SETTINGS | {"SENSOR_ID_KEYS"})
    replay = actions.add_parser(
        "replay",
        help="after a fix, score them again and store the results",
        description="Scores dead letters again, under the app's own settings and into its own"
        " stores. Exit code 0: all are scored; 3: some are rejected again and stay; 1: something"
        " went wrong, and what is not stored stays.",
    )
    _add_selection(replay, "most letters to replay")
    replay.add_argument(
        "--dry-run", action="store_true", help="score, but store and remove nothing"
    )
    replay.add_argument(
        "--sqlite",
        action="store_true",
        help="store the scores of dead letters from Azure in SQLite on this machine",
    )
    replay.set_defaults(act=_replay, uses=frozenset(SETTINGS))


def _add_selection(parser: argparse.ArgumentParser, limit: str) -> None:
    for name, what in (
        ("reason", "with this reason"),
        ("hub", "from this event hub"),
        ("sensor", "of this sensor"),
    ):
        parser.add_argument(
            f"--{name}",
            action="append",
            default=[],
            metavar=name.upper(),
            help=f"only letters {what}; may be given again for more",
        )
    parser.add_argument("--limit", type=positive_int, metavar="N", help=limit)


def run(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """List, show or replay dead letters; return the exit code."""
    # what a command does not use it does not refuse either: a store's token may be elsewhere
    stores = STORE_SETTINGS if getattr(arguments, "dry_run", False) else frozenset[str]()
    return int(arguments.act(arguments, load_settings(environment, arguments.uses - stores)))


def _letters(settings: Settings) -> DeadLetters:
    return DeadLetters(open_storage(settings).container(CONTAINER))


def _selection(arguments: argparse.Namespace, settings: Settings) -> Selection:
    return Selection(
        frozenset(arguments.reason),
        frozenset(arguments.hub),
        frozenset(arguments.sensor),
        settings.sensor_id_keys,
    )


def _list(arguments: argparse.Namespace, settings: Settings) -> int:
    found = listing(_letters(settings))
    if arguments.json:
        sys.stdout.write(msgspec.json.encode(found.document()).decode() + "\n")
    else:
        sys.stdout.write(found.text())
    _name("unreadable file", found.unreadable)
    return 1 if found.unreadable else 0


def _show(arguments: argparse.Namespace, settings: Settings) -> int:
    selection = _selection(arguments, settings)
    chosen = (letter for letter in _letters(settings).read() if selection.holds(letter))
    for letter in islice(chosen, arguments.limit):
        text = msgspec.json.encode(letter).decode() + "\n"
        sys.stdout.write(text if arguments.json else letter_text(letter))
    return 0


def _replay(arguments: argparse.Namespace, settings: Settings) -> int:
    if not (arguments.sqlite or arguments.dry_run):
        _check_store(settings)
    with _built(settings) as app, stop_signal() as stop:
        work = Replay(
            app.delivery,
            _selection(arguments, settings),
            limit=arguments.limit,
            dry_run=arguments.dry_run,
            sleep=stop.wait,
        )
        depth = app.delivery.dead_letters.summary(app.delivery.clock())
        total = depth.n_files if depth.is_complete else None
        fault = None
        with progress_bar("replaying", total, unit="files") as progress:
            try:
                work.run(progress, stop.is_set)
            except ScoringError as error:
                fault = error
        _report(work.counts, dry_run=arguments.dry_run)
        if fault is not None:
            sys.stderr.write(f"{fault}\nnothing is lost: what is not stored yet is still kept\n")
        return 1 if fault is not None else _exit_code(work.counts)


@contextmanager
def _built(settings: Settings) -> Iterator[ScoringApp]:
    app = build_app(settings)
    try:
        yield app
    finally:
        for outlet in app.delivery.outlets:
            if isinstance(outlet.sink, SqliteSink):
                outlet.sink.close()


def _check_store(settings: Settings) -> None:
    """Refuse to let go of letters on Azure for scores in a file of this machine."""
    with _built(settings) as app:
        into_sqlite = any(isinstance(outlet.sink, SqliteSink) for outlet in app.delivery.outlets)
    if into_sqlite and _is_remote(settings):
        problem = (
            "INFLUXDB_URL: no store is set, so the scores would go to SQLite on this machine;"
            " set the app's own stores, or give --sqlite if that is what you want"
        )
        raise SettingsError([problem])


def _is_remote(settings: Settings) -> bool:
    if settings.storage_account_name is not None:
        return True
    text = settings.storage_connection_string or "UseDevelopmentStorage=true"
    parts = dict(part.split("=", 1) for part in text.split(";") if "=" in part)
    if parts.get("UseDevelopmentStorage") == "true":
        return False
    host = urlsplit(parts.get("BlobEndpoint", "")).hostname
    return host not in {"127.0.0.1", "localhost", "::1"}


def _report(counts: ReplayCounts, *, dry_run: bool) -> None:
    rejected = sum(counts.rejected.values())
    for reason, n in counts.rejected.most_common():
        sys.stdout.write(f"rejected again: {n:,} {reason}\n")
    sys.stdout.write(
        f"{'dry run' if dry_run else 'done'}: replayed={counts.replayed} scored={counts.scored}"
        f" rejected={rejected} left={counts.left}\n"
    )
    _name("unreadable file", counts.unreadable)
    _name("altered meanwhile, replay again", counts.altered)
    faults = [f"{text} ({n:,} letters)" for text, n in counts.faults.most_common()]
    _name("fault of this program", faults)


def _name(what: str, found: list[str]) -> None:
    for text in found[:_MOST_NAMED]:
        sys.stderr.write(f"{what}: {printable(text)}\n")
    if len(found) > _MOST_NAMED:
        sys.stderr.write(f"{what}: {len(found) - _MOST_NAMED:,} more\n")


def _exit_code(counts: ReplayCounts) -> int:
    if not counts.is_clean():
        return 1
    return _STILL_REJECTED if counts.left else 0
