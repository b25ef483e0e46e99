"""Sends metrics and spans with the OpenTelemetry SDK; imported where they go somewhere only."""

from collections.abc import Iterable
from functools import partial

from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.metrics import Histogram as HistogramInstrument
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from scoring.invocations import Invocation
from scoring.settings import TelemetrySettings
from scoring.telemetry import METRICS, STAGE_BOUNDS, Metric
from scoring.telemetry_exporters import exporters
from scoring.telemetry_log import calm_the_libraries
from scoring.telemetry_values import Observer, Sources, Values
from scoring.version import VERSION

_SCOPE = "scoring"
# For what is left at the end of a process, at each place that it goes to; the host waits seconds.
_STOP_MS = 2_500


class Exports:
    """Everything that leaves this process, from now until `stop`.

    Parameters
    ----------
    settings : TelemetrySettings
    instance : str
        Name of this process.
    sources : Sources
    """

    def __init__(self, settings: TelemetrySettings, instance: str, sources: Sources) -> None:
        calm_the_libraries()
        # not Resource.create, which asks its detectors on threads: a process that ends has none
        resource = OTELResourceDetector().detect().merge(_sender(settings, instance))
        pairs = tuple(exporters(settings))
        self._meters = [_meters(one, settings, resource, sources) for one, _ in pairs]
        spans = (one for _, one in pairs)
        self._tracers = _tracers(spans, settings, resource)
        self._tracer = self._tracers.get_tracer(_SCOPE, VERSION)
        self._propagator = TraceContextTextMapPropagator()

    def trace(self, invocation: Invocation) -> None:
        """Make a span of an invocation that has ended, below the host's own."""
        parent = self._propagator.extract({"traceparent": invocation.trace_parent})
        span = self._tracer.start_span(
            invocation.function,
            context=parent,
            attributes=invocation.attributes,
            start_time=invocation.started_ns,
        )
        if invocation.error:  # the host's log has its stack
            span.set_attribute("error.type", invocation.error)
            span.set_status(Status(StatusCode.ERROR, invocation.message))
        span.end(invocation.ended_ns)

    def stop(self) -> None:
        """Send what is left, as far as that is quick."""
        for meters in self._meters:
            meters.shutdown(timeout_millis=_STOP_MS)
        self._tracers.shutdown()


def _sender(settings: TelemetrySettings, instance: str) -> Resource:
    names = {"name": settings.service, "version": VERSION, "instance.id": instance}
    return Resource({f"service.{name}": value for name, value in names.items()})


def _meters(
    exporter: MetricExporter, settings: TelemetrySettings, resource: Resource, sources: Sources
) -> MeterProvider:
    """Register every metric for one exporter: each has its own intervals."""
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=settings.interval_ms)
    # read long after the invocation, a value belongs to no span
    provider = MeterProvider([reader], resource, AlwaysOffExemplarFilter(), shutdown_on_exit=False)
    meter = provider.get_meter(_SCOPE, VERSION)
    instruments = _Instruments(meter, Observer(sources))
    for metric in METRICS.values():
        instruments.add(metric)
    return provider


class _Instruments:
    """The metrics of one exporter.

    The library asks each instrument in turn, in the order of their making, from one thread. So
    all of an export are read when the first is asked, and fit together.
    """

    def __init__(self, meter: Meter, observer: Observer) -> None:
        self._meter = meter
        self._observer = observer
        self._first: str | None = None
        self._values: Values = {}
        self._stages: HistogramInstrument = meter.create_histogram(
            "scoring_stage_seconds",
            METRICS["scoring_stage_seconds"].unit,
            METRICS["scoring_stage_seconds"].meaning,
            explicit_bucket_boundaries_advisory=STAGE_BOUNDS,
        )

    def add(self, metric: Metric) -> None:
        callbacks = [partial(self._observed, metric.name)]
        if metric.kind == "counter":
            self._meter.create_observable_counter(
                metric.name, callbacks, metric.unit, metric.meaning
            )
        elif metric.kind == "gauge":
            self._meter.create_observable_gauge(metric.name, callbacks, metric.unit, metric.meaning)
        self._first = self._first or metric.name

    def _observed(self, name: str, _: CallbackOptions) -> Iterable[Observation]:
        if name == self._first:
            self._read()
        found = self._values.get(name, ())
        return [Observation(value.number, dict(value.attributes)) for value in found]

    def _read(self) -> None:
        self._values = self._observer.values()
        for batch in self._observer.stages():
            for stage, seconds in batch.items():
                self._stages.record(seconds, {"stage": stage})


def _tracers(
    spans: Iterable[SpanExporter], settings: TelemetrySettings, resource: Resource
) -> TracerProvider:
    # what is to be traced was chosen before: see scoring.invocations
    provider = TracerProvider(ALWAYS_ON, resource, shutdown_on_exit=False)
    for exporter in spans:
        provider.add_span_processor(
            _QuickToStop(exporter, schedule_delay_millis=settings.interval_ms)
        )
    return provider


class _QuickToStop(BatchSpanProcessor):
    """Waits as long as metrics do for what is left; the library would wait for half a minute."""

    def shutdown(self) -> None:
        self._batch_processor.shutdown(timeout_millis=_STOP_MS)
