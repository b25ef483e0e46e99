"""Measures what each stage of an invocation costs, by the functions that the pipeline calls."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import cycle

from bench.deployment import Deployment
from bench.timing import interleaved_medians
from bench.workload import Workload, make_workload
from scoring.app import ScoringApp
from scoring.artifacts import LoadedModel
from scoring.attribution import causes, worst_rows
from scoring.decoding import event_batch
from scoring.event_batch import EventBatch
from scoring.events import read_events
from scoring.features import FloatArray, feature_matrix
from scoring.pipeline import score_batch
from scoring.scorer import anomalousness
from scoring.sinks.line_protocol import lines
from scoring.thresholds import is_anomaly

BATCH_SIZES = (1, 64, 256, 1_000, 4_000)
MEASURED = ("decode", "JSON", "matrix", "score", "attribute", "encode", "write")
STAGES = (*MEASURED, "all else")
# As many different batches as keep the machine from learning one by heart.
_N_BATCHES = 4
_WHOLE, _ENCODE_AND_WRITE = "whole", "encode and write"
Call = Callable[[], object]


@dataclass(frozen=True, slots=True)
class StageTimes:
    """What a batch of one size costs.

    Parameters
    ----------
    n_events : int
    whole : float
        Seconds an invocation.
    stages : mapping of str to float
        Seconds a batch for each of `STAGES`; together they are the whole.
    """

    n_events: int
    whole: float
    stages: Mapping[str, float]

    def us_per_event(self, stage: str) -> float:
        """Microseconds that a stage costs an event."""
        return self.stages[stage] / self.n_events * 1e6


def measure_stages(deployment: Deployment, n_events: int, seconds: float) -> StageTimes:
    """Time whole invocations and each stage by itself, in turn, at one size of batch."""
    calls = stage_calls(deployment.app, deployment.model, make_workload(n_events))
    found = interleaved_medians(
        {_WHOLE: whole_invocation(deployment.app, n_events)} | calls, seconds
    )
    whole, both = found.pop(_WHOLE), found.pop(_ENCODE_AND_WRITE)
    found["write"] = max(both - found["encode"], 0.0)
    found["all else"] = whole - sum(found.values())
    return StageTimes(n_events, whole, {name: found[name] for name in STAGES})


def whole_invocation(app: ScoringApp, n_events: int, n_sensors: int = 50) -> Call:
    """Return a call that decodes, scores and stores a batch, another one each time."""
    firsts = range(0, n_events * _N_BATCHES, n_events)
    workloads = cycle([make_workload(n_events, n_sensors, first) for first in firsts])
    return lambda: app.score_events(next(workloads).decoded())


def stage_calls(app: ScoringApp, model: LoadedModel, workload: Workload) -> dict[str, Call]:
    """Return a call for each stage, on what the stages before it make of one batch."""
    delivery = app.delivery
    batch = read_batch(workload)
    readings, _ = read_events(batch, delivery.policy.keys)
    X = feature_matrix(readings.payloads, model.features).X
    scored = score_batch(batch, delivery.cache.snapshot(), delivery.policy).scored
    most = delivery.policy.attribution_max_readings
    return {
        "decode": partial(read_batch, workload),
        "JSON": partial(read_events, batch, delivery.policy.keys),
        "matrix": partial(feature_matrix, readings.payloads, model.features),
        "score": partial(model.score, X),
        "attribute": _attribution(model, X, readings.sensor_ids, most),
        "encode": partial(lines, scored),
        _ENCODE_AND_WRITE: partial(delivery.outlets[0].sink.write, scored),
    }


def read_batch(workload: Workload) -> EventBatch:
    """Decode a batch as the library and the app do together."""
    return event_batch(workload.decoded(), "sensor-features", datetime.now(UTC))


def _attribution(model: LoadedModel, X: FloatArray, sensor_ids: list[str], most: int) -> Call:
    score = model.score(X)
    decided = is_anomaly(score, model.threshold, model.rule)
    severity = anomalousness(score, model.rule)
    medians = model.medians
    if decided is None or medians is None:
        raise ValueError("the model of the bench explains its anomalies: it has none of its own")

    def attribute() -> None:
        if decided.any():
            rows = worst_rows(decided, severity, sensor_ids, most)
            causes(model.score, X[rows], model.rule, medians, model.features)

    return attribute
