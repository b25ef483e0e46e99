"""Decides which of the app's stores can be read from here, by the settings in the environment."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from replay.smoke.checks import Check
from replay.smoke.stores import CosmosReader, InfluxReader, SqliteReader, StoreReader
from scoring.app import SCORES_FILE
from scoring.dead_letters import CONTAINER, DeadLetters
from scoring.letters import DeadLetter
from scoring.settings import CosmosSettings, Settings
from scoring.storage import open_storage

_SETTINGS = {
    "influxdb": "INFLUXDB_URL, INFLUXDB_ORG, INFLUXDB_BUCKET and a token that may read",
    "cosmos": "COSMOS_ENDPOINT (with a role that may read) or COSMOS_CONNECTION_STRING",
    "sqlite": "DATA_DIR, on the machine of the app",
}


@dataclass(frozen=True, slots=True)
class Reach:
    """What can be read from here.

    Parameters
    ----------
    stores : tuple of StoreReader
    letters : DeadLetters or None
    notes : tuple of Check
        What cannot, and which settings it takes.
    """

    stores: tuple[StoreReader, ...]
    letters: DeadLetters | None
    notes: tuple[Check, ...]


def reach(
    settings: Settings,
    sinks: Sequence[str],
    influx_token: str,
    *,
    is_here: bool,
    is_write_set: bool = False,
) -> Reach:
    """Open what the environment's settings name.

    Parameters
    ----------
    settings : Settings
        Of this process; the app's own where its user set them.
    sinks : sequence of str
        Stores of the app, as health names them.
    influx_token : str
        A token that may read; empty: that of the settings.
    is_here : bool
        Whether the app runs on this machine, so that `DATA_DIR` may be its own.
    is_write_set : bool
        Whether `COSMOS_WRITE` is set here; else it follows from the app's stores, as in the app,
        and not from those that happen to be set here.
    """
    if settings.cosmos is not None and not is_write_set:
        settings = replace(settings, cosmos=_as_the_app_writes(settings.cosmos, sinks))
    found = {one.name: one for one in _readers(settings, influx_token, is_here=is_here)}
    notes = [_unread(f"stored in {name}", _SETTINGS.get(name, "")) for name in sinks
             if name not in found]  # fmt: skip
    letters = _letters(settings, is_here=is_here)
    if letters is None:
        notes.append(_unread("dead letters", "STORAGE_ACCOUNT_NAME or STORAGE_CONNECTION_STRING"))
    stores = tuple(found[name] for name in sinks if name in found)
    return Reach(stores, letters, tuple(notes))


def _as_the_app_writes(cosmos: CosmosSettings, sinks: Sequence[str]) -> CosmosSettings:
    return replace(cosmos, write="anomalies" if "influxdb" in sinks else "all")


def _readers(settings: Settings, influx_token: str, *, is_here: bool) -> Iterator[StoreReader]:
    if settings.influxdb is not None:
        yield InfluxReader(settings.influxdb, influx_token or settings.influxdb.token)
    if settings.cosmos is not None:
        yield CosmosReader(settings.cosmos)
    if is_here and settings.data_dir.is_dir():
        yield SqliteReader(settings.data_dir / SCORES_FILE)


def _letters(settings: Settings, *, is_here: bool) -> DeadLetters | None:
    is_remote = bool(settings.storage_account_name or settings.storage_connection_string)
    if not is_remote and not (is_here and settings.data_dir.is_dir()):
        return None
    return DeadLetters(open_storage(settings).container(CONTAINER))


def _unread(what: str, needed: str) -> Check:
    advice = f"cannot be read from here; set {needed} as the app has them"
    return Check(what, "", "not read", "note", advice)


def recent_letters(letters: DeadLetters, since: datetime) -> list[DeadLetter]:
    """Read the dead letters that were written since; raises StorageUnavailableError."""
    return [letter for file in letters.files(since) for letter in file.letters]
