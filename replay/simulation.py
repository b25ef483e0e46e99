"""Simulates the readings of a fleet of stations."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from replay.anomalies import NORMAL, AnomalyInjector, MarkArray
from replay.columns import KIND_NAME, ColumnChoice
from replay.feature_specs import KINDS, FeaturesFileError, FeatureSpec, load_features
from replay.recordings import Recording
from replay.times import NS_A_SECOND

__all__ = [
    "FeatureSpec",
    "FeaturesFileError",
    "SimulatedRecording",
    "Simulation",
    "load_features",
    "simulate",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
SECONDS_A_DAY = 86_400


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedRecording(Recording):
    """A recording that knows what was done to it.

    Parameters
    ----------
    kinds : ndarray of shape (n_readings,), int16
        Index into :data:`replay.feature_specs.KINDS`; -1 for a normal reading.
    columns : ndarray of shape (n_readings,), int16
        The feature that the anomaly changed, as its column in `X`; -1 for a normal reading.
    """

    kinds: MarkArray
    columns: MarkArray

    def take(self, rows: npt.NDArray[np.intp]) -> Self:
        """Return the recording of these rows, in their order."""
        return replace(
            Recording.take(self, rows), kinds=self.kinds[rows], columns=self.columns[rows]
        )

    def kind_names(self) -> list[str]:
        """Return each reading's kind of anomaly, empty for a normal one."""
        return ["" if kind == NORMAL else KINDS[kind] for kind in self.kinds.tolist()]


class Simulation:
    """A fleet that goes on for as long as it is asked to.

    A station's reading of a feature is: mean + the station's own offset + a random walk that
    returns to its mean (Ornstein-Uhlenbeck, stepped exactly) + daily cycle + noise, within the
    physical bounds. The sizes of the chunks make no difference to the readings. Not thread-safe.

    Parameters
    ----------
    specs : sequence of FeatureSpec
        What is measured; see :func:`load_features`.
    n_stations : int
        They are called station-01, station-02 …
    interval_s : float
        Time between two readings of a station, at least a microsecond.
    start_ns : int
        Time of the first readings, nanoseconds since 1970.
    seed : int
        The same seed gives the same readings.
    anomaly_rate : float, optional
        Share of readings inside anomalies, in [0, 1); by default what the features file says.
    """

    def __init__(
        self,
        specs: Sequence[FeatureSpec],
        *,
        n_stations: int = 5,
        interval_s: float = 1.0,
        start_ns: int = 0,
        seed: int = 0,
        anomaly_rate: float | None = None,
    ) -> None:
        self.specs = tuple(specs)
        self.station_ids = [
            f"station-{i + 1:0{max(2, len(str(n_stations)))}}" for i in range(n_stations)
        ]
        self._start_ns = start_ns
        self._interval_ns = max(round(interval_s * NS_A_SECOND), 1000)
        self._step = 0
        first, *stations = np.random.SeedSequence(seed).spawn(3 + n_stations)
        self._walk_noise, self._sensor_noise = map(np.random.default_rng, stations[:2])
        generator = np.random.default_rng(first)
        shape = (n_stations, len(self.specs))
        self._offset = generator.standard_normal(shape) * [spec.station_sd for spec in self.specs]
        self._walk = generator.standard_normal(shape) * [spec.spread for spec in self.specs]
        self._injectors = [
            AnomalyInjector(self.specs, interval_s, np.random.default_rng(own), anomaly_rate)
            for own in stations[2:]
        ]

    def next(self, n_steps: int, *, clean: bool = False) -> SimulatedRecording:
        """Simulate the next readings of every station.

        Parameters
        ----------
        n_steps : int
            Readings a station, at least one.
        clean : bool
            Whether no anomalies are injected; they go on afterwards where they were.

        Returns
        -------
        SimulatedRecording
            In time order; ``n_steps * n_stations`` readings.
        """
        times = self._start_ns + np.arange(self._step, self._step + n_steps) * self._interval_ns
        self._step += n_steps
        values = self._normal(times)
        kinds = np.full(values.shape[:2], NORMAL, dtype=np.int16)
        columns = kinds.copy()
        if not clean:
            for i, injector in enumerate(self._injectors):
                kinds[:, i], columns[:, i] = injector.inject(values[:, i, :])
        self._bound(values)
        return self._recording(times, values, kinds, columns)

    def _normal(self, times: IntArray) -> FloatArray:
        """Return readings without anomalies, of shape (n_steps, n_stations, n_features)."""
        shape = (len(times), *self._walk.shape)
        values = self._sensor_noise.standard_normal(shape)
        values *= [spec.noise_sd for spec in self.specs]
        values += self._offset
        push = self._walk_noise.standard_normal(shape)
        for column, spec in enumerate(self.specs):
            values[:, :, column] += self._walked(column, push[:, :, column])
            values[:, :, column] += spec.mean + _daily(spec, times)[:, np.newaxis]
        return values

    def _walked(self, column: int, push: FloatArray) -> FloatArray:
        """Step the walk: w' = k w + spread sqrt(1 - k^2) push, whose variance stays spread^2."""
        spec = self.specs[column]
        keep = np.exp(-self._interval_ns / NS_A_SECOND / spec.return_time_s)
        kick = spec.spread * np.sqrt(1 - keep**2)
        before = keep * self._walk[np.newaxis, :, column]
        stepped, _ = lfilter([kick], [1.0, -keep], push, axis=0, zi=before)
        walk: FloatArray = np.asarray(stepped, dtype=np.float64)
        self._walk[:, column] = walk[-1]
        return walk

    def _bound(self, values: FloatArray) -> None:
        for column, spec in enumerate(self.specs):
            of_feature = values[:, :, column]
            np.clip(of_feature, spec.minimum, spec.maximum, out=of_feature)
            if spec.decimals is not None:
                np.round(of_feature, spec.decimals, out=of_feature)

    def _recording(
        self, times: IntArray, values: FloatArray, kinds: MarkArray, columns: MarkArray
    ) -> SimulatedRecording:
        return SimulatedRecording(
            source="simulation",
            choice=ColumnChoice(
                sensor="sensor_id",
                time="timestamp",
                label="anomaly",
                features=tuple(spec.name for spec in self.specs),
                ignored={KIND_NAME: "label"},
            ),
            sensor_ids=self.station_ids * len(times),
            event_time_ns=np.repeat(times, len(self.station_ids)),
            X=values.reshape(-1, len(self.specs)),
            y_true=kinds.ravel() != NORMAL,
            times_made=False,
            kinds=kinds.ravel(),
            columns=columns.ravel(),
        )


def simulate(
    specs: Sequence[FeatureSpec],
    n_stations: int = 5,
    n_steps: int = 1000,
    interval_s: float = 1.0,
    start_ns: int = 0,
    seed: int = 0,
    anomaly_rate: float | None = None,
    *,
    clean: bool = False,
) -> SimulatedRecording:
    """Simulate a recording at once; the parameters are those of :class:`Simulation`."""
    simulation = Simulation(
        specs,
        n_stations=n_stations,
        interval_s=interval_s,
        start_ns=start_ns,
        seed=seed,
        anomaly_rate=anomaly_rate,
    )
    return simulation.next(n_steps, clean=clean)


def _daily(spec: FeatureSpec, times: IntArray) -> FloatArray:
    day = times / NS_A_SECOND / SECONDS_A_DAY - spec.daily_peak_h / 24
    return np.asarray(spec.daily_amplitude * np.cos(2 * np.pi * day), dtype=np.float64)
