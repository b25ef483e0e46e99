"""Makes the exporters that the settings ask for."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics.export import MetricExporter
from opentelemetry.sdk.trace.export import SpanExporter

from scoring.settings import TelemetrySettings, preset
from scoring.telemetry_console import LineMetricExporter, LineSpanExporter

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

Exporters = tuple[MetricExporter, SpanExporter]
# The exporter reads these from the environment alone. Off: statistics about itself, for Microsoft
# and for us; asking a server what to switch on; one metric more with each export of traces.
_BESIDES = (
    "STATSBEAT_DISABLED_ALL",
    "SDKSTATS_DISABLED",
    "CONTROLPLANE_DISABLED",
    "OPENTELEMETRY_RESOURCE_METRIC_DISABLED",
)
# One more try: a minute that does not arrive is worth less than a thread that hangs.
_RETRIES = 1


def exporters(settings: TelemetrySettings) -> Iterator[Exporters]:
    """Yield a pair for metrics and spans for each place that they go to."""
    if settings.connection_string:
        yield _application_insights(settings)
    if settings.otlp_endpoint:
        yield _otlp(settings.otlp_endpoint.rstrip("/"))
    if settings.is_console:
        yield LineMetricExporter(), LineSpanExporter()


def _otlp(base: str) -> Exporters:
    # they bring protobuf, which a worker may have in a version of its own: only where it is needed
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import (  # noqa: PLC0415  # see above
        OTLPMetricExporter,
    )
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415  # the same
        OTLPSpanExporter,
    )

    return OTLPMetricExporter(f"{base}/v1/metrics"), OTLPSpanExporter(f"{base}/v1/traces")


def _application_insights(settings: TelemetrySettings) -> Exporters:
    preset({f"APPLICATIONINSIGHTS_{name}": "true" for name in _BESIDES})
    from azure.monitor.opentelemetry.exporter import (  # noqa: PLC0415  # heavy, and not for all
        AzureMonitorMetricExporter,
        AzureMonitorTraceExporter,
    )

    shared: dict[str, Any] = {
        "connection_string": settings.connection_string,
        "credential": _credential(settings),
        "disable_offline_storage": True,  # the disk of an instance goes with it
        "retry_total": _RETRIES,
    }
    return AzureMonitorMetricExporter(**shared), AzureMonitorTraceExporter(**shared)


def _credential(settings: TelemetrySettings) -> "TokenCredential | None":
    """Return the app's identity; None where the key in the connection string is enough."""
    if not settings.uses_identity:
        return None
    from azure.identity import (  # noqa: PLC0415  # heavy
        DefaultAzureCredential,
        ManagedIdentityCredential,
    )

    if settings.client_id:
        return ManagedIdentityCredential(client_id=settings.client_id)
    return DefaultAzureCredential()
