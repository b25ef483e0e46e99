"""Reads where telemetry goes."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

_ADDRESSES = ("http://", "https://")
_KEY = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# Below a second exports would overtake each other; beyond an hour alerts know nothing.
_INTERVAL_MS = (100.0, 3_600_000.0)
_SERVICE = "anomaly-scorer"


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """Where metrics and traces go; nowhere by default.

    Parameters
    ----------
    connection_string : str or None
        Application Insights.
    uses_identity : bool
        Whether it is reached by the app's identity.
    client_id : str or None
        Of a user-assigned identity.
    otlp_endpoint : str or None
        A collector or agent that takes OTLP over HTTP.
    is_console : bool
        Whether both are printed.
    interval_ms : float
        Between exports.
    traced_share : float
        Of the invocations that end well, in [0, 1]. Those that fail are always traced.
    service : str
        Name of this app.
    """

    connection_string: str | None = field(default=None, repr=False)
    uses_identity: bool = False
    client_id: str | None = None
    otlp_endpoint: str | None = None
    is_console: bool = False
    interval_ms: float = 60_000.0
    traced_share: float = 0.05
    service: str = _SERVICE

    @property
    def is_on(self) -> bool:
        """Whether anything leaves the process."""
        return bool(self.connection_string or self.otlp_endpoint or self.is_console)


def read_telemetry(
    text: Callable[[str], str | None],
    environ: Mapping[str, str],
    problem: Callable[[str], None],
) -> TelemetrySettings:
    """Read and check the settings.

    Parameters
    ----------
    text : callable
        Returns the text or the default of a setting.
    environ : mapping of str to str
        Where the name of this app stands, if anywhere.
    problem : callable
        Takes each problem: one sentence, and never a value.
    """
    for sentence in _problems(text):
        problem(sentence)
    authentication = _parts(text("APPLICATIONINSIGHTS_AUTHENTICATION_STRING"))
    return TelemetrySettings(
        connection_string=text("APPLICATIONINSIGHTS_CONNECTION_STRING"),
        uses_identity=authentication.get("authorization", "").upper() == "AAD",
        client_id=authentication.get("clientid"),
        otlp_endpoint=text("OTEL_EXPORTER_OTLP_ENDPOINT"),
        is_console=(text("TELEMETRY_CONSOLE") or "").lower() == "true",
        interval_ms=_number(text("OTEL_METRIC_EXPORT_INTERVAL")) or 60_000.0,
        traced_share=_number(text("OTEL_TRACES_SAMPLER_ARG")) or 0.0,
        service=_service(environ),
    )


def _problems(text: Callable[[str], str | None]) -> Iterator[str]:
    connection = text("APPLICATIONINSIGHTS_CONNECTION_STRING")
    if connection and not _is_connection_string(connection):
        yield (
            "APPLICATIONINSIGHTS_CONNECTION_STRING: copy the whole text,"
            " InstrumentationKey=...;IngestionEndpoint=https://..."
        )
    authentication = text("APPLICATIONINSIGHTS_AUTHENTICATION_STRING")
    if authentication and _parts(authentication).get("authorization", "").upper() != "AAD":
        yield (
            "APPLICATIONINSIGHTS_AUTHENTICATION_STRING: set Authorization=AAD, or"
            " ClientId=...;Authorization=AAD"
        )
    if not (text("OTEL_EXPORTER_OTLP_ENDPOINT") or _ADDRESSES[0]).startswith(_ADDRESSES):
        yield "OTEL_EXPORTER_OTLP_ENDPOINT: set an address such as http://localhost:4318"
    least, most = _INTERVAL_MS
    if not least <= (_number(text("OTEL_METRIC_EXPORT_INTERVAL")) or 0.0) <= most:
        yield f"OTEL_METRIC_EXPORT_INTERVAL: set milliseconds from {least:.0f} to {most:.0f}"
    share = _number(text("OTEL_TRACES_SAMPLER_ARG"))
    if share is None or not 0.0 <= share <= 1.0:
        yield "OTEL_TRACES_SAMPLER_ARG: set a share from 0 to 1"
    if (text("TELEMETRY_CONSOLE") or "").lower() not in {"true", "false"}:
        yield "TELEMETRY_CONSOLE: set true or false"


def _service(environ: Mapping[str, str]) -> str:
    names = (environ.get(name, "").strip() for name in ("OTEL_SERVICE_NAME", "WEBSITE_SITE_NAME"))
    return next(filter(None, names), _SERVICE)


def _is_connection_string(text: str) -> bool:
    """Tell whether the exporter can read it: it would raise while the app scores."""
    parts = _parts(text)
    has_key = _KEY.fullmatch(parts.get("instrumentationkey", "")) is not None
    return has_key and parts.get("ingestionendpoint", _ADDRESSES[1]).startswith(_ADDRESSES)


def _parts(text: str | None) -> dict[str, str]:
    pairs = [part.partition("=") for part in (text or "").split(";") if part.strip()]
    if not all(sign for _, sign, _ in pairs):
        return {}
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None
