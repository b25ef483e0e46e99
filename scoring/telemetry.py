"""Every metric and span that leaves a process: its name, its unit, its attributes, its meaning."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]
Stage = Literal["decode", "score", "store", "whole"]
# The functions whose invocations are traced. Health is asked too often to say anything.
SPANS = ("score_events", "reload_models", "drain_spill", "score")
QUANTILES = (0.5, 0.95, 0.99)
# Upper bounds in seconds: from a reading alone to a batch that waits out a store's retries.
STAGE_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, as `docs/telemetry.md` lists it.

    Parameters
    ----------
    name : str
    kind : {"counter", "gauge", "histogram"}
    unit : str
        In UCUM; what is counted stands in braces.
    attributes : tuple of str
        Each bounded: by the models of the routes, the sinks, or a list in the code.
    meaning : str
    """

    name: str
    kind: Kind
    unit: str
    attributes: tuple[str, ...]
    meaning: str


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a metric, and whose it is."""

    number: float
    attributes: Mapping[str, str] = field(default_factory=dict)


_ALL = (
    Metric("scoring_received_total", "counter", "{reading}", (), "found in the events of batches"),
    Metric("scoring_scored_total", "counter", "{reading}", ("model",), "scored"),
    Metric("scoring_rejected_total", "counter", "{reading}", ("reason",), "rejected"),
    Metric("scoring_held_total", "counter", "{event}", (), "held, to be delivered again"),
    Metric("scoring_anomalies_total", "counter", "{reading}", ("model",), "scored as anomalies"),
    Metric("scoring_collided_total", "counter", "{reading}", (), "replaced by one of their time"),
    Metric("scoring_unaccounted_total", "counter", "{reading}", (), "missing in the counts; 0"),
    Metric("scoring_written_total", "counter", "{reading}", ("sink",), "written at once"),
    Metric("scoring_spilled_total", "counter", "{reading}", ("sink",), "spilled"),
    Metric("scoring_refused_total", "counter", "{reading}", ("sink",), "refused for ever"),
    Metric("scoring_drained_total", "counter", "{reading}", ("sink",), "written back later"),
    Metric("scoring_sink_failures_total", "counter", "{write}", ("sink",), "writes that failed"),
    Metric("scoring_batches_total", "counter", "{batch}", ("outcome",), "`done` or `held`"),
    Metric(
        "scoring_timer_runs_total",
        "counter",
        "{run}",
        ("timer", "outcome"),
        "runs of `reload_models` and `drain_spill`, `ok` or `failed`",
    ),
    Metric(
        "scoring_lag_seconds",
        "gauge",
        "s",
        ("quantile",),
        "of the events since the last export: `0.5`, `0.95`, `0.99`",
    ),
    Metric(
        "scoring_model_age_seconds",
        "gauge",
        "s",
        ("model", "model_version"),
        "since the version in use was made, as its manifest says; without one, since it was loaded",
    ),
    Metric(
        "scoring_model_refused", "gauge", "1", ("model",), "1 while the current version is refused"
    ),
    Metric(
        "scoring_model_stale",
        "gauge",
        "1",
        ("model",),
        "1 while no version can be read, because storage is silent or there is none",
    ),
    Metric("scoring_spill_bytes", "gauge", "By", ("sink",), "waiting to be written back"),
    Metric("scoring_spill_batches", "gauge", "{batch}", ("sink",), "waiting to be written back"),
    Metric(
        "scoring_spill_age_seconds", "gauge", "s", ("sink",), "of the oldest that waits; 0 if none"
    ),
    Metric(
        "scoring_dead_letters", "gauge", "{file}", (), "files kept; from 5,000 on there may be more"
    ),
    Metric(
        "scoring_score_drift",
        "gauge",
        "1",
        ("model",),
        "population stability index of `anomaly_score` against the training readings",
    ),
    Metric(
        "scoring_stage_seconds",
        "histogram",
        "s",
        ("stage",),
        "of a batch: `decode`, `score`, `store`; `whole` is all of it",
    ),
)
METRICS: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in _ALL})
