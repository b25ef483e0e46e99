"""Reads the values of every metric at one moment, from what the process counts anyway."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from scoring.artifacts import LoadedModel
from scoring.cache import ModelCache, Snapshot
from scoring.depths import Depths
from scoring.distributions import Bins, lag_quantile_s, stability_index
from scoring.ledger import Ledger
from scoring.telemetry import QUANTILES, Stage, Value

Values = dict[str, list[Value]]
# Below so many readings chance alone moves the index by more than a hundredth.
LEAST_FOR_DRIFT = 1_000
_TOTALS = ("received", "held", "collided", "unaccounted")
# What the ledger counts by name: the metric, and what the parts of the name are.
_NAMED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "scored": ("scoring_scored_total", ("model",)),
    "anomalies": ("scoring_anomalies_total", ("model",)),
    "drained": ("scoring_drained_total", ("sink",)),
    "failures": ("scoring_sink_failures_total", ("sink",)),
    "batches": ("scoring_batches_total", ("outcome",)),
    "timer_runs": ("scoring_timer_runs_total", ("timer", "outcome")),
}


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the values stand; reading them touches neither storage nor network."""

    ledger: Ledger
    cache: ModelCache
    depths: Depths
    clock: Callable[[], datetime]


class Observer:
    """Reads the values for one exporter; of one thread.

    Counters are totals since the process started. What belongs to an interval (lag, drift,
    stages, depths) is told from what this observer read before, so each exporter has its own.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._lag_seen: Bins = np.zeros_like(sources.ledger.lag_bins())
        self._scores_seen: dict[str, Bins] = {}
        self._stages_seen = 0
        self._depths_seen = 0

    def values(self) -> Values:
        """Read every metric that has a value now, but for the stages."""
        found: Values = {}
        for name, value in self._all():
            found.setdefault(name, []).append(value)
        return found

    def stages(self) -> list[Mapping[Stage, float]]:
        """Return the seconds of each stage, for the batches since the last call."""
        self._stages_seen, found = self._sources.ledger.stages_since(self._stages_seen)
        return found

    def _all(self) -> Iterator[tuple[str, Value]]:
        yield from _counted(self._sources.ledger)
        yield from self._lag()
        yield from self._drift()
        yield from self._depths()
        cache = self._sources.cache
        if cache.has_looked_lately():  # an idle process would tell of long ago, for ever
            yield from _model_values(cache.latest(), cache.now(), self._sources.clock())

    def _lag(self) -> Iterator[tuple[str, Value]]:
        bins = self._sources.ledger.lag_bins()
        new, self._lag_seen = bins - self._lag_seen, bins
        for quantile in QUANTILES:
            lag_s = lag_quantile_s(new, quantile)
            if lag_s is not None:
                yield "scoring_lag_seconds", Value(lag_s, {"quantile": f"{quantile:g}"})

    def _drift(self) -> Iterator[tuple[str, Value]]:
        """Yield the index where there are enough new readings; else they wait for more."""
        for model, bins in self._sources.ledger.score_bins().items():
            new = bins - self._scores_seen.get(model, 0)
            if new.sum() >= LEAST_FOR_DRIFT:
                self._scores_seen[model] = bins
                yield "scoring_score_drift", Value(stability_index(new), {"model": model})

    def _depths(self) -> Iterator[tuple[str, Value]]:
        seen, self._depths_seen = self._depths_seen, self._sources.depths.n_measured()
        for metric, values in self._sources.depths.since(seen):
            for value in values:
                yield metric, value


def _counted(ledger: Ledger) -> Iterator[tuple[str, Value]]:
    totals = ledger.totals()
    for name in _TOTALS if totals else ():
        yield f"scoring_{name}_total", Value(totals.get(name, 0))
    for reason, n in ledger.rejected().items():
        yield "scoring_rejected_total", Value(n, {"reason": reason})
    named = ledger.named()
    stores = Counter(ledger.stores())
    stores.update({f"{key[1]}:refused": n for key, n in named.items() if key[0] == "refused"})
    for store, n in stores.items():
        sink, _, what = store.rpartition(":")
        yield f"scoring_{what}_total", Value(n, {"sink": sink})
    for (name, *parts), n in named.items():
        if name in _NAMED:
            metric, attributes = _NAMED[name]
            yield metric, Value(n, dict(zip(attributes, parts, strict=True)))


def _model_values(
    snapshot: Snapshot, monotonic: float, now: datetime
) -> Iterator[tuple[str, Value]]:
    for name, state in snapshot.states.items():
        model = snapshot.models.get(name)
        if model is not None:
            loaded_s = monotonic - (monotonic if state.loaded_at is None else state.loaded_at)
            age_s = _age_s(model, now, loaded_s)
            of = {"model": name, "model_version": model.version}
            yield "scoring_model_age_seconds", Value(age_s, of)
        is_stale = state.state in {"unreachable", "missing"}
        yield "scoring_model_refused", Value(int(state.state == "refused"), {"model": name})
        yield "scoring_model_stale", Value(int(is_stale), {"model": name})


def _age_s(model: LoadedModel, now: datetime, loaded_s: float) -> float:
    """Return the age that the manifest tells, else since the model was loaded."""
    try:
        created = datetime.fromisoformat(model.created_at or "")
    except ValueError:
        return max(loaded_s, 0.0)
    aware = created if created.tzinfo else created.replace(tzinfo=UTC)
    return max((now - aware).total_seconds(), 0.0)
