"""Injects labelled anomalies into one station's simulated readings."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from replay.feature_specs import KINDS, AnomalySpec, FeatureSpec, Kind

FloatArray = npt.NDArray[np.float64]
MarkArray = npt.NDArray[np.int16]
NORMAL = -1  # the mark of a reading outside any anomaly


@dataclass(slots=True)
class _Anomaly:
    """One anomaly while it lasts; `n_done` of its readings have been made."""

    kind: Kind
    column: int
    n_readings: int
    change: float
    n_done: int = 0
    held: float = 0.0


@dataclass(frozen=True, slots=True)
class _Source:
    """One kind of anomaly on one feature."""

    spec: AnomalySpec
    column: int
    sd: float
    shortest: int
    longest: int

    @property
    def starts_a_reading(self) -> float:
        """How often it starts, for each reading of the station."""
        return self.spec.rate / ((self.shortest + self.longest) / 2)


class AnomalyInjector:
    """Anomalies of one station, one at a time, in chunks of any size.

    Parameters
    ----------
    specs : sequence of FeatureSpec
        Which kinds on which features.
    interval_s : float
        Time between two readings.
    generator : numpy.random.Generator
        This station's own; the chunks' sizes make no difference to what it gives.
    anomaly_rate : float or None
        Share of readings inside anomalies, in [0, 1); None: the sum of the specs' rates.
    """

    def __init__(
        self,
        specs: Sequence[FeatureSpec],
        interval_s: float,
        generator: np.random.Generator,
        anomaly_rate: float | None = None,
    ) -> None:
        self._specs = specs
        self._generator = generator
        self._sources = _sources(specs, interval_s)
        starts = np.array([source.starts_a_reading for source in self._sources])
        rate = sum(source.spec.rate for source in self._sources)
        wanted = rate if anomaly_rate is None else anomaly_rate
        self._mean_gap: float | None = None  # readings between two anomalies; None: there are none
        if rate > 0 and wanted > 0:
            self._weights = starts / starts.sum()
            # Makes mean length / (mean length + mean gap) the wanted share.
            self._mean_gap = (1 - wanted) / (wanted / rate) / starts.sum()
        self._current: _Anomaly | None = None
        self._gap = self._next_gap()

    def inject(self, values: FloatArray) -> tuple[MarkArray, MarkArray]:
        """Change readings in place and tell which ones.

        Parameters
        ----------
        values : ndarray of shape (n_steps, n_features), float64
            The station's next readings.

        Returns
        -------
        kinds, columns : ndarrays of shape (n_steps,), int16
            Index into :data:`KINDS` and the feature's column; :data:`NORMAL` outside anomalies.
        """
        kinds = np.full(len(values), NORMAL, dtype=np.int16)
        columns = kinds.copy()
        for start, stop, anomaly in self._pieces(len(values)):
            self._apply(anomaly, values[start:stop, anomaly.column])
            kinds[start:stop] = KINDS.index(anomaly.kind)
            columns[start:stop] = anomaly.column
        return kinds, columns

    def _pieces(self, n_steps: int) -> Iterator[tuple[int, int, _Anomaly]]:
        if self._mean_gap is None:
            return
        at = 0
        while at < n_steps:
            if self._current is None:
                normal = min(self._gap, n_steps - at)
                self._gap -= normal
                at += normal
                if at < n_steps:
                    self._current = self._next_anomaly()
                continue
            stop = min(at + self._current.n_readings - self._current.n_done, n_steps)
            yield at, stop, self._current
            self._current.n_done += stop - at
            at = stop
            if self._current.n_done == self._current.n_readings:
                self._current, self._gap = None, self._next_gap()

    def _next_gap(self) -> int:
        if self._mean_gap is None:
            return 0
        return int(self._generator.geometric(1 / (1 + self._mean_gap))) - 1

    def _next_anomaly(self) -> _Anomaly:
        source = self._sources[int(self._generator.choice(len(self._sources), p=self._weights))]
        sign = self._generator.choice((-1.0, 1.0))
        return _Anomaly(
            kind=source.spec.kind,
            column=source.column,
            n_readings=int(self._generator.integers(source.shortest, source.longest + 1)),
            change=float(sign * self._generator.uniform(*source.spec.size) * source.sd),
        )

    def _apply(self, anomaly: _Anomaly, values: FloatArray) -> None:
        if anomaly.n_done == 0:
            anomaly.held = float(values[0])
            if self._is_swallowed(anomaly):
                anomaly.change = -anomaly.change
        if anomaly.kind == "stuck":
            values[:] = anomaly.held
        elif anomaly.kind == "drift":
            steps = np.arange(1, len(values) + 1) + anomaly.n_done
            values += anomaly.change * steps / anomaly.n_readings
        else:
            values += anomaly.change

    def _is_swallowed(self, anomaly: _Anomaly) -> bool:
        """Tell whether a physical bound would cut the change, and the other way has more room."""
        spec = self._specs[anomaly.column]
        low = float("-inf") if spec.minimum is None else spec.minimum
        high = float("inf") if spec.maximum is None else spec.maximum
        up, down = high - anomaly.held, anomaly.held - low
        ahead, behind = (up, down) if anomaly.change > 0 else (down, up)
        return ahead < abs(anomaly.change) and behind > ahead


def _sources(specs: Sequence[FeatureSpec], interval_s: float) -> list[_Source]:
    sources = []
    for column, spec in enumerate(specs):
        for anomaly in spec.anomalies:
            shortest, longest = (max(1, round(s / interval_s)) for s in anomaly.duration_s)
            sources.append(_Source(anomaly, column, spec.sd, shortest, longest))
    return sources
