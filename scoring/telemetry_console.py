"""Prints metrics and spans as lines of the log, for a laptop."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from opentelemetry.sdk.metrics import Histogram, ObservableCounter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    HistogramDataPoint,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
)
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

_log = logging.getLogger("scoring.telemetry")
_DELTA = AggregationTemporality.DELTA


class LineMetricExporter(MetricExporter):
    """Prints one line a value: what was added since the last export, or what a gauge shows."""

    def __init__(self) -> None:
        super().__init__(preferred_temporality={ObservableCounter: _DELTA, Histogram: _DELTA})

    def export(
        self,
        metrics_data: MetricsData,
        timeout_millis: float = 10_000,  # noqa: ARG002  # the library's
        **_: Any,
    ) -> MetricExportResult:
        """Print everything; what did not move is left out."""
        for line in _lines(metrics_data):
            _log.info("%s", line)
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:  # noqa: ARG002  # the library's
        """Do nothing: all is printed."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **_: Any) -> None:
        """Do nothing."""


def _lines(data: MetricsData) -> Iterator[str]:
    scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics]
    for metric in (metric for scope in scopes for metric in scope.metrics):
        for point in metric.data.data_points:
            of = _attributes(point.attributes, ",")
            name = f"{metric.name}{{{of}}}" if of else metric.name
            if isinstance(point, HistogramDataPoint):
                mean_ms = point.sum / max(point.count, 1) * 1e3
                yield f"{name} {point.count} x {mean_ms:.3g} ms, most {point.max * 1e3:.3g} ms"
            elif isinstance(point, NumberDataPoint) and _is_news(metric.name, point):
                yield f"{name} {point.value:.6g}"


def _is_news(name: str, point: NumberDataPoint) -> bool:
    return bool(point.value) or not name.endswith("_total")


def _attributes(attributes: Mapping[str, Any] | None, separator: str) -> str:
    return separator.join(f"{name}={value}" for name, value in (attributes or {}).items())


class LineSpanExporter(SpanExporter):
    """Prints one line a span."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Print every span, the attributes behind it."""
        for span in spans:
            ms = ((span.end_time or 0) - (span.start_time or 0)) / 1e6
            of = _attributes(span.attributes, " ")
            _log.info("span %s %.1f ms %s %s", span.name, ms, span.status.status_code.name, of)
        return SpanExportResult.SUCCESS
