"""Reads every setting once and names all that is wrong with them in one error."""

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from scoring.azure_host import is_on_azure, machine_name
from scoring.cosmos_settings import CosmosSettings, read_cosmos
from scoring.errors import SettingsError
from scoring.influx_settings import InfluxSettings, read_influx
from scoring.known_settings import SETTINGS, Setting
from scoring.names import is_account_name, is_container_name, is_model_name, is_plain_path
from scoring.setting_reader import SettingReader, between, chosen
from scoring.telemetry_settings import TelemetrySettings, read_telemetry

__all__ = [
    "SETTINGS",
    "CosmosSettings",
    "InfluxSettings",
    "Setting",
    "Settings",
    "TelemetrySettings",
    "is_fast_decoding",
    "load_settings",
    "preset",
]

_TYPE_NAME = re.compile(r"[A-Za-z_][\w]*(\.[A-Za-z_][\w]*)+")
# NCRONTAB with seconds, or a time span; whether each field makes sense is the host's to say.
_SCHEDULE = re.compile(r"(\S+ +){5}\S+|\d+:\d{2}:\d{2}")
_SCHEDULES = ("MODEL_RELOAD_SCHEDULE", "SPILL_DRAIN_SCHEDULE")
# Where the app keeps what it writes by itself.
_OWN_CONTAINERS = {"dead-letter", "spill", "status"}


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, checked together; see `docs/settings.md`."""

    event_hub_name: str
    storage_account_name: str | None
    storage_connection_string: str | None = field(repr=False)
    data_dir: Path
    model_container_name: str
    model_file_path: str | None
    model_name: str
    model_routes: tuple[tuple[str, str], ...]
    trusted_model_types: frozenset[str]
    feature_keys: tuple[str, ...] | None
    sensor_id_keys: tuple[str, ...]
    missing_features: Literal["reject", "median"]
    time_tie_break: Literal["none", "sequence"]
    model_refresh_seconds: float
    attribution_max_readings: int
    fast_decoding: bool
    spill_max_mb: float
    influxdb: InfluxSettings | None
    cosmos: CosmosSettings | None
    telemetry: TelemetrySettings
    instance: str


def _missing_features(text: str) -> Literal["reject", "median"]:
    choices: dict[str, Literal["reject", "median"]] = {"reject": "reject", "median": "median"}
    return chosen(choices, text)


def _time_tie_break(text: str) -> Literal["none", "sequence"]:
    choices: dict[str, Literal["none", "sequence"]] = {"none": "none", "sequence": "sequence"}
    return chosen(choices, text)


def _flag(text: str) -> bool:
    return chosen({"true": True, "false": False}, text)


def _model_name(reader: SettingReader) -> str:
    name = reader.required("MODEL_NAME")
    if not is_model_name(name):
        reader.problem("MODEL_NAME: use 1 to 64 letters, digits, dots, underscores and hyphens")
    return name


def _model_routes(reader: SettingReader) -> tuple[tuple[str, str], ...]:
    pairs = [part.rpartition("=") for part in reader.names("MODEL_ROUTES")]
    routes = tuple((pattern.strip(), name.strip()) for pattern, _, name in pairs)
    if any(not pattern or not is_model_name(name) for pattern, name in routes):
        reader.problem("MODEL_ROUTES: set pattern=model pairs by comma, such as pump-*=vibration")
    if routes and reader.text("MODEL_FILE_PATH"):
        reader.problem("MODEL_ROUTES: needs the registry layout; unset MODEL_FILE_PATH or this")
    return routes


def _container_name(reader: SettingReader) -> str:
    name = reader.required("MODEL_CONTAINER_NAME")
    if not is_container_name(name):
        reader.problem("MODEL_CONTAINER_NAME: use 3 to 63 of a-z, 0-9 and single hyphens")
    if name in _OWN_CONTAINERS:
        reader.problem(f"MODEL_CONTAINER_NAME: {name} is the app's own; use another")
    return name


def _model_file_path(reader: SettingReader) -> str | None:
    path = reader.text("MODEL_FILE_PATH")
    if path is not None and not is_plain_path(path):
        reader.problem("MODEL_FILE_PATH: set a path inside the container, such as iforest.joblib")
    return path


def _trusted_types(reader: SettingReader) -> frozenset[str]:
    names = reader.names("TRUSTED_MODEL_TYPES")
    if not all(_TYPE_NAME.fullmatch(name) for name in names):
        reader.problem("TRUSTED_MODEL_TYPES: set exact module.Class names, without wildcards")
    return frozenset(names)


def _check_storage(reader: SettingReader, *, on_azure: bool) -> None:
    account = reader.text("STORAGE_ACCOUNT_NAME")
    by_key = reader.text("STORAGE_CONNECTION_STRING")
    if account and not is_account_name(account):
        reader.problem("STORAGE_ACCOUNT_NAME: set the bare name, 3 to 24 letters and digits")
    if account and by_key:
        reader.problem("STORAGE_ACCOUNT_NAME: set this or STORAGE_CONNECTION_STRING, not both")
    if on_azure and reader.reads("STORAGE_ACCOUNT_NAME") and not account and not by_key:
        reader.problem("STORAGE_ACCOUNT_NAME: is not set; on Azure a folder is lost")


def _check_bindings(reader: SettingReader, *, on_azure: bool) -> None:
    """Check what the host puts into bindings: it knows no defaults, and fails without a word."""
    for name in ("EVENT_HUB_NAME", "EVENT_HUB_CONSUMER_GROUP", *_SCHEDULES):
        if on_azure and reader.reads(name) and not reader.is_set(name):
            reader.problem(f"{name}: is not set; Azure knows no default; {SETTINGS[name].meaning}")
    for name in _SCHEDULES:
        if not _SCHEDULE.fullmatch(reader.required(name)):
            reader.problem(f"{name}: set six fields such as 0 */5 * * * *, or hh:mm:ss")


def _check_sinks(reader: SettingReader, *, on_azure: bool) -> None:
    stores = ("INFLUXDB_URL", "COSMOS_ENDPOINT", "COSMOS_CONNECTION_STRING")
    if on_azure and all(map(reader.reads, stores)) and not any(map(reader.text, stores)):
        reader.problem(
            "INFLUXDB_URL: no store for the scores; on Azure SQLite is lost; set it, or"
            " COSMOS_ENDPOINT"
        )


def load_settings(
    environ: Mapping[str, str] | None = None, only: Collection[str] = SETTINGS
) -> Settings:
    """Read and check every setting, or those that a command uses.

    Parameters
    ----------
    environ : mapping of str to str, optional
        Where the settings stand; the process environment by default.
    only : collection of str
        Names of the settings to read. Others are neither read nor refused, and have their
        defaults.

    Raises
    ------
    SettingsError
        With one sentence for each problem there is.
    """
    environ = os.environ if environ is None else environ
    reader = SettingReader(environ, only)
    on_azure = is_on_azure(environ)
    _check_storage(reader, on_azure=on_azure)
    _check_sinks(reader, on_azure=on_azure)
    _check_bindings(reader, on_azure=on_azure)
    settings = _settings(reader, environ)
    if reader.problems:
        raise SettingsError(reader.problems)
    return settings


def _settings(reader: SettingReader, environ: Mapping[str, str]) -> Settings:
    choose = reader.parsed
    return Settings(
        event_hub_name=reader.required("EVENT_HUB_NAME"),
        storage_account_name=reader.text("STORAGE_ACCOUNT_NAME"),
        storage_connection_string=reader.text("STORAGE_CONNECTION_STRING"),
        data_dir=Path(reader.required("DATA_DIR")),
        model_container_name=_container_name(reader),
        model_file_path=_model_file_path(reader),
        model_name=_model_name(reader),
        model_routes=_model_routes(reader),
        trusted_model_types=_trusted_types(reader),
        feature_keys=reader.names("FEATURE_KEYS") or None,
        sensor_id_keys=reader.names("SENSOR_ID_KEYS"),
        missing_features=choose("MISSING_FEATURES", _missing_features, "reject or median"),
        time_tie_break=choose("TIME_TIE_BREAK", _time_tie_break, "none or sequence"),
        model_refresh_seconds=choose(
            "MODEL_REFRESH_SECONDS",
            between(float, 0.1, 86_400.0),
            "a number of seconds from 0.1 to 86400",
        ),
        attribution_max_readings=choose(
            "ATTRIBUTION_MAX_READINGS", between(int, 0, 100_000), "a whole number from 0 to 100000"
        ),
        fast_decoding=choose("FAST_DECODING", _flag, "true or false"),
        spill_max_mb=choose("SPILL_MAX_MB", between(float, 0.0, 1e6), "a number from 0 to 1000000"),
        influxdb=read_influx(reader.text, reader.required, reader.problem),
        cosmos=read_cosmos(reader.text, reader.problem),
        telemetry=read_telemetry(reader.text, environ, reader.problem),
        instance=_instance(environ),
    )


def is_fast_decoding() -> bool:
    """Tell whether events are to be decoded past azure-functions; asked once a batch."""
    return os.environ.get("FAST_DECODING", "").strip().lower() != "false"


def preset(variables: Mapping[str, str]) -> None:
    """Set what libraries read from the environment alone, where nobody chose it."""
    for name, value in variables.items():
        os.environ.setdefault(name, value)


def _instance(environ: Mapping[str, str]) -> str:
    """Name this process among all that score: instance or machine, then process id."""
    return f"{re.sub(r'[^A-Za-z0-9-]', '-', machine_name(environ))[:48]}-{os.getpid()}"
