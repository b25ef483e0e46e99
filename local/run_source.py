"""What `make run` fits a model on and streams: a recording, or a simulated fleet."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np

from local.run_summary import Truth, truth_key
from replay.feature_specs import load_features
from replay.recordings import (
    FloatArray,
    Recording,
    RecordingError,
    describe,
    read_recording,
    split_early,
)
from replay.sending import Message, Pace, as_fast_as_possible, recording_messages
from replay.simulation import Simulation
from scoring.features import usable_rows
from training.estimators import FitOptions

_FIT_SHARE = 0.3
_EARLY = "first 30 %"
_STATIONS = 100
_SEED = 7
# One reading a station a second; the last minutes first, so that there is something to see.
_INTERVAL_S = 1.0
_BACKLOG_S = 300
# A day of normal history, every two minutes, teaches the model the daily cycle.
_HISTORY_STEP_S = 120.0
_HISTORY_STEPS = 720
_STEPS_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class RunSource:
    """Readings to fit on, and readings to stream.

    Parameters
    ----------
    title, said : str
        What it is, and which columns were chosen, for a person.
    fit_source : str
        Where the readings to fit on come from, for the manifest and for errors.
    features : tuple of str
    fit_on : ndarray of shape (n_readings, n_features), float64
    fit_options : FitOptions
    messages : iterator of Message
        May be endless.
    total : int or None
        How many, where it is known.
    pace : callable
    truth : set or None
        Labelled anomalies, filled while messages are drawn; None without labels.
    """

    title: str
    said: str
    fit_source: str
    features: tuple[str, ...]
    fit_on: FloatArray
    fit_options: FitOptions
    messages: Iterator[Message]
    total: int | None
    pace: Pace
    truth: Truth | None


def recorded_source(
    path: Path,
    *,
    features: list[str] | None,
    time_column: str | None,
    sensor: str | None,
    label: str | None,
    progress: Callable[[str], None] | None = None,
) -> RunSource:
    """Fit on the first 30 % of every sensor's readings, and stream the rest.

    Features that do not change in what is fitted on are left out: the model would never see a
    change of them later either.

    Raises
    ------
    RecordingError
        If the file cannot be used, or no feature is left.
    """
    recording = read_recording(
        path, features=features, time=time_column, sensor=sensor, label=label, progress=progress
    )
    early, rest = split_early(recording, _FIT_SHARE)
    recording = _without_constants(recording, recording.X[early])
    sensors = len(set(recording.sensor_ids))
    return RunSource(
        title=f"{path.name}: {_counted(len(recording), 'reading')} of"
        f" {_counted(sensors, 'sensor')}; the {_EARLY} of each to fit on, {len(rest):,} to stream",
        said=describe(recording.choice),
        fit_source=f"{path.name}, {_EARLY} of its readings",
        features=recording.choice.features,
        fit_on=recording.X[early],
        fit_options=FitOptions(),
        messages=recording_messages(recording, rest),
        total=len(rest),
        pace=as_fast_as_possible(),
        truth=None if recording.y_true is None else _truth(recording.take(rest)),
    )


def _counted(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def _without_constants(recording: Recording, early: FloatArray) -> Recording:
    rows = early[usable_rows(early)]
    if len(rows) < 2:  # noqa: PLR2004  one is no evidence; fitting tells why there are so few
        return recording
    is_constant = (rows == rows[0]).all(axis=0)
    if is_constant.all():
        raise RecordingError(
            recording.source,
            f"no feature changes in the {_EARLY} of its readings, which a model is fitted on",
            "name others with FEATURES, or record more of normal operation",
        )
    choice = recording.choice
    features = np.array(choice.features, dtype=object)
    ignored = dict.fromkeys(features[is_constant].tolist(), f"constant in the {_EARLY}")
    chosen = replace(
        choice,
        features=tuple(features[~is_constant].tolist()),
        ignored={**choice.ignored, **ignored},
    )
    return replace(recording, choice=chosen, X=recording.X[:, ~is_constant])


def _truth(recording: Recording) -> Truth:
    if recording.y_true is None:
        return set()
    times = recording.event_time_ns
    return {
        truth_key(recording.sensor_ids[row], int(times[row]))
        for row in np.flatnonzero(recording.y_true).tolist()
    }


def simulated_source() -> RunSource:
    """Fit on a day of normal history, and stream a fleet in real time without end."""
    specs = load_features()
    now_ns = time.time_ns()
    history = Simulation(
        specs,
        n_stations=_STATIONS,
        interval_s=_HISTORY_STEP_S,
        start_ns=now_ns - int((_HISTORY_STEPS * _HISTORY_STEP_S + _BACKLOG_S) * 1e9),
        seed=_SEED,
    ).next(_HISTORY_STEPS, clean=True)
    live = Simulation(
        specs,
        n_stations=_STATIONS,
        interval_s=_INTERVAL_S,
        start_ns=now_ns - _BACKLOG_S * 1_000_000_000,
        seed=_SEED,  # the same stations with the same offsets
    )
    truth: Truth = set()
    return RunSource(
        title=f"a simulated fleet of {_STATIONS} stations, one reading a second each,"
        f" the last {_BACKLOG_S // 60} minutes first, with injected anomalies",
        said=f"features   {', '.join(history.choice.features)}",
        fit_source="a simulated day of normal operation",
        features=history.choice.features,
        fit_on=history.X,
        # injected anomalies are on one feature of three: trees of 256 readings miss them
        fit_options=FitOptions(max_samples=2048),
        messages=_live_messages(live, truth),
        total=None,
        pace=_when_it_happens(now_ns),
        truth=truth,
    )


def _live_messages(simulation: Simulation, truth: Truth) -> Iterator[Message]:
    for _ in count():
        recording = simulation.next(_STEPS_AT_ONCE)
        truth |= _truth(recording)
        yield from recording_messages(recording)


def _when_it_happens(now_ns: int) -> Pace:
    """Let a reading be due at its event time; the past is due at once."""
    return lambda _index, event_time_ns: max(0.0, (event_time_ns - now_ns) / 1e9)
