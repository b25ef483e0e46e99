"""Counts what became of every reading of this process."""

import threading
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from scoring.distributions import N_LAG_BINS, Bins, FloatArray, lag_bins
from scoring.telemetry import Stage

# Of so many batches the stages wait for an export, the newest. To hand one over takes 25 µs: this
# bounds what a minute of tiny batches costs to a quarter of a percent of a core.
_STAGES_KEPT = 5_000
# Binning costs much the same for one batch and for many.
_LAGS_TOGETHER = 64


@dataclass(frozen=True, slots=True)
class StoreCounts:
    """What became of scored readings at one store: scored = written + spilled + refused."""

    written: int
    spilled: int
    refused: int


@dataclass(frozen=True, slots=True)
class ModelCounts:
    """What one model made of a batch.

    Parameters
    ----------
    version : str
    scored, anomalies : int
        Readings.
    score_bins : ndarray of shape (10,), int64, or None
        Anomaly scores in ten bins; None without calibration.
    """

    version: str
    scored: int
    anomalies: int
    score_bins: Bins | None = None


@dataclass(frozen=True, slots=True)
class BatchCounts:
    """What became of one batch: received = scored + rejected + held.

    Parameters
    ----------
    received, scored, held : int
        Readings. Held ones are delivered again.
    rejected : mapping of str to int
        By reason.
    anomalies : int
    collided : int
        Different readings that share an identity: the last one is kept.
    stores : mapping of str to StoreCounts
        By sink.
    lag_ms : sequence of float
        Between the hub taking an event and the end of its batch.
    models : mapping of str to ModelCounts
        By model; together they are `scored` and `anomalies`.
    stages : mapping of str to float
        Seconds.
    """

    received: int
    scored: int = 0
    held: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    anomalies: int = 0
    collided: int = 0
    stores: Mapping[str, StoreCounts] = field(default_factory=dict)
    lag_ms: Sequence[float] | FloatArray = ()
    models: Mapping[str, ModelCounts] = field(default_factory=dict)
    stages: Mapping[Stage, float] = field(default_factory=dict)

    def unaccounted(self) -> int:
        """Return how many readings went missing in the counts, here or at a store; must be 0."""
        missing = self.received - self.scored - sum(self.rejected.values()) - self.held
        return abs(missing) + sum(
            abs(self.scored - store.written - store.spilled - store.refused)
            for store in self.stores.values()
        )

    def attributes(self) -> dict[str, int | tuple[str, ...]]:
        """Return what a span tells of the batch."""
        versions = tuple(f"{name}@{model.version}" for name, model in self.models.items())
        return {
            "scoring.received": self.received,
            "scoring.scored": self.scored,
            "scoring.rejected": sum(self.rejected.values()),
            "scoring.anomalies": self.anomalies,
            "scoring.spilled": sum(store.spilled for store in self.stores.values()),
            "scoring.model_versions": versions,
        }


class Ledger:
    """Totals since this process started; safe to use from any thread.

    Parameters
    ----------
    stages_kept : int
        Of how many batches the durations are kept until somebody takes them.
    """

    def __init__(self, stages_kept: int = _STAGES_KEPT) -> None:
        self._lock = threading.Lock()
        self._totals: Counter[str] = Counter()
        self._rejected: Counter[str] = Counter()
        self._stores: Counter[str] = Counter()
        self._named: Counter[tuple[str, ...]] = Counter()
        self._lag_ms: Sequence[float] | FloatArray = ()
        self._new_lags: list[Sequence[float] | FloatArray] = []
        self._lag_bins = np.zeros(N_LAG_BINS, np.int64)
        self._score_bins: dict[str, Bins] = {}
        self._stages: deque[Mapping[Stage, float]] = deque(maxlen=stages_kept)
        self._n_stages = 0
        self._is_holding = False

    def add(self, counts: BatchCounts) -> None:
        """Add one batch."""
        with self._lock:
            self._totals.update(
                batches=1,
                received=counts.received,
                scored=counts.scored,
                held=counts.held,
                anomalies=counts.anomalies,
                collided=counts.collided,
                unaccounted=counts.unaccounted(),
            )
            for name, store in counts.stores.items():
                self._stores.update(
                    {
                        f"{name}:written": store.written,
                        f"{name}:spilled": store.spilled,
                        f"{name}:refused": store.refused,
                    }
                )
            self._rejected.update(counts.rejected)
            self._is_holding = counts.held > 0
            self._add_models(counts.models)
            self._add_durations(counts)

    def _add_models(self, models: Mapping[str, ModelCounts]) -> None:
        for name, model in models.items():
            self._named["scored", name] += model.scored
            self._named["anomalies", name] += model.anomalies
            if model.score_bins is not None:
                before = self._score_bins.get(name)
                bins = model.score_bins if before is None else before + model.score_bins
                self._score_bins[name] = bins

    def _add_durations(self, counts: BatchCounts) -> None:
        self._named["batches", "held" if counts.held else "done"] += 1
        if len(counts.lag_ms):
            self._lag_ms = counts.lag_ms
            self._new_lags.append(counts.lag_ms)
            if len(self._new_lags) >= _LAGS_TOGETHER:
                self._bin_lags()
        if counts.stages:
            self._stages.append(counts.stages)
            self._n_stages += 1

    def _bin_lags(self) -> None:
        if self._new_lags:
            bins = lag_bins(np.concatenate(self._new_lags))
            self._lag_bins[: len(bins)] += bins
            self._new_lags.clear()

    def count(self, *name: str, n: int = 1) -> None:
        """Count something else that happened, such as ``"drained", "influxdb"``."""
        if n:
            with self._lock:
                self._named[name] += n

    def named(self) -> dict[tuple[str, ...], int]:
        """Return the counts of models, outcomes of batches, drains and timers, by name."""
        with self._lock:
            return dict(self._named)

    def lag_bins(self) -> Bins:
        """Return how many events had which lag; see `scoring.distributions`."""
        with self._lock:
            self._bin_lags()
            return self._lag_bins.copy()

    def score_bins(self) -> dict[str, Bins]:
        """Return how many readings had which anomaly score, by model."""
        with self._lock:
            return dict(self._score_bins)

    def stages_since(self, n_seen: int) -> tuple[int, list[Mapping[Stage, float]]]:
        """Return how many batches there were, and the durations of those after `n_seen`."""
        with self._lock:
            n_new = min(self._n_stages - n_seen, len(self._stages))
            newest = islice(reversed(self._stages), n_new)
            return self._n_stages, list(newest)

    def totals(self) -> dict[str, int]:
        """Return the counts by name."""
        with self._lock:
            return dict(self._totals)

    def stores(self) -> dict[str, int]:
        """Return what was written, spilled and refused, by store."""
        with self._lock:
            return dict(self._stores)

    def rejected(self) -> dict[str, int]:
        """Return the rejected readings by reason."""
        with self._lock:
            return dict(self._rejected)

    def is_holding(self) -> bool:
        """Tell whether the last batch was held, to come again."""
        with self._lock:
            return self._is_holding

    def lag_ms(self) -> tuple[float, float]:
        """Return median and maximum lag of the last batch, in ms."""
        with self._lock:
            lag = sorted(map(float, self._lag_ms))
        return (lag[len(lag) // 2], lag[-1]) if lag else (0.0, 0.0)
