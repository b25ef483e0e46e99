"""Servers on loopback that telemetry is sent to: an OTLP collector and Application Insights."""

import json
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_DELTA

from tests.http_double import Answer, HttpDouble

KEY = "00000000-0000-0000-0000-000000000001"
# Name and attributes of one time series.
Series = tuple[str, frozenset[tuple[str, str]]]


def series(name: str, **attributes: str) -> Series:
    """Name a time series."""
    return name, frozenset(attributes.items())


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Poll until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


class _Server(HttpDouble):
    """Answers each post alike."""

    def __init__(self, answer: bytes, context: ssl.SSLContext | None = None) -> None:
        told = Answer(200, {"Content-Type": "application/json"}, answer)
        super().__init__(lambda _: told, context=context)

    def posted(self, path: str) -> list[bytes]:
        """Return the bodies that were posted to a path, in order."""
        return [request.body for request in list(self.requests) if request.path == path]


@dataclass(frozen=True, slots=True)
class Span:
    """One span as a collector sees it."""

    name: str
    trace_id: str
    parent_id: str
    attributes: Mapping[str, Any]
    is_error: bool
    message: str
    seconds: float


class Collector(_Server):
    """Takes OTLP over HTTP as protobuf, and decodes it."""

    def __init__(self) -> None:
        super().__init__(b"")

    def _points(self) -> Iterator[tuple[Any, str, Any]]:
        for body in self.posted("/v1/metrics"):
            request = ExportMetricsServiceRequest.FromString(body)
            for resource in request.resource_metrics:
                for metric in (m for scope in resource.scope_metrics for m in scope.metrics):
                    kind = metric.WhichOneof("data") or ""
                    for point in getattr(metric, kind).data_points:
                        yield metric, kind, point

    def sums(self) -> Counter[Series]:
        """Add up the counters: deltas are added, of totals the last one counts."""
        found: Counter[Series] = Counter()
        for metric, kind, point in self._points():
            if kind == "sum":
                one = (metric.name, _attributes(point))
                is_delta = metric.sum.aggregation_temporality == AGGREGATION_TEMPORALITY_DELTA
                found[one] = point.as_int + (found[one] if is_delta else 0)
        return found

    def gauges(self) -> dict[Series, list[float]]:
        """Return every value of each gauge, in order."""
        found: dict[Series, list[float]] = {}
        for metric, kind, point in self._points():
            if kind == "gauge":
                value = point.as_double if point.HasField("as_double") else point.as_int
                found.setdefault((metric.name, _attributes(point)), []).append(value)
        return found

    def histograms(self, name: str) -> Iterator[tuple[int, str]]:
        """Yield how many values were added to a histogram of seconds, and their one attribute."""
        for metric, kind, point in self._points():
            if kind == "histogram":
                assert metric.name == name
                assert 0 < point.max < 60
                ((_, value),) = _attributes(point)
                yield point.count, value

    def n_points(self) -> int:
        """Count all values of all metrics."""
        return sum(1 for _ in self._points())

    def units(self) -> dict[str, str]:
        """Return the unit of each metric."""
        return {metric.name: metric.unit for metric, _, _ in self._points()}

    def resource(self) -> dict[str, str]:
        """Return who sent the last metrics."""
        request = ExportMetricsServiceRequest.FromString(self.posted("/v1/metrics")[-1])
        return dict(_attributes(request.resource_metrics[0].resource))

    def spans(self) -> list[Span]:
        """Return every span."""
        requests = map(ExportTraceServiceRequest.FromString, self.posted("/v1/traces"))
        scopes = [s for one in requests for r in one.resource_spans for s in r.scope_spans]
        return [_span(span) for scope in scopes for span in scope.spans]


def _attributes(holder: Any) -> frozenset[tuple[str, str]]:
    return frozenset((one.key, one.value.string_value) for one in holder.attributes)


def _span(span: Any) -> Span:
    kinds = {one.key: one.value.WhichOneof("value") for one in span.attributes}
    attributes = {one.key: getattr(one.value, kinds[one.key]) for one in span.attributes}
    return Span(
        span.name,
        span.trace_id.hex(),
        span.parent_span_id.hex(),
        attributes,
        span.status.code == 2,
        span.status.message,
        (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
    )


class Ingestion(_Server):
    """Takes envelopes as Application Insights does."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        answer = {"itemsReceived": 1, "itemsAccepted": 1, "errors": []}
        super().__init__(json.dumps(answer).encode(), context)

    @property
    def connection_string(self) -> str:
        """What leads here."""
        return f"InstrumentationKey={KEY};IngestionEndpoint={self.url}/"

    def envelopes(self) -> list[dict[str, Any]]:
        """Return everything that was sent, in order."""
        bodies = self.posted("/v2.1/track")
        return [envelope for body in bodies for envelope in json.loads(body)]

    def sums(self) -> Counter[Series]:
        """Add up the values of each time series, as a query over AppMetrics does."""
        found: Counter[Series] = Counter()
        for envelope in self.envelopes():
            data = envelope["data"]
            if data["baseType"] == "MetricData":
                (metric,) = data["baseData"]["metrics"]
                attributes = data["baseData"].get("properties") or {}
                found[metric["name"], frozenset(attributes.items())] += metric["value"]
        return found
