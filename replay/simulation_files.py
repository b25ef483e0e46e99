"""Writes a simulation as labelled train, validation and test files."""

from collections.abc import Callable
from pathlib import Path

import polars as pl

from replay.columns import KIND_NAME
from replay.simulation import SimulatedRecording, Simulation
from replay.times import iso_texts

# The first half of a station's life is without anomalies, to fit on; the rest is shared out evenly.
PARTS = (("train", 0.5), ("validation", 0.75), ("test", 1.0))


def simulate_parts(simulation: Simulation, n_steps: int) -> dict[str, SimulatedRecording]:
    """Simulate the three parts, one after the other on the same stations.

    Parameters
    ----------
    simulation : Simulation
        Goes on by `n_steps`.
    n_steps : int
        Readings a station in all, at least four, so that no part is empty.

    Returns
    -------
    dict of str to SimulatedRecording
        ``train`` without anomalies, ``validation`` and ``test`` with.
    """
    parts: dict[str, SimulatedRecording] = {}
    done = 0
    for name, until in PARTS:
        end = round(n_steps * until)
        parts[name] = simulation.next(end - done, clean=name == "train")
        done = end
    return parts


def write_parts(
    parts: dict[str, SimulatedRecording],
    folder: Path,
    progress: Callable[[int], None] = lambda _done: None,
) -> list[Path]:
    """Write each part as ``<part>.csv``.

    Parameters
    ----------
    parts : dict of str to SimulatedRecording
        See :func:`simulate_parts`.
    folder : Path
        Made where there is none; files of the same names are replaced.
    progress : callable
        Told the number of readings written.

    Returns
    -------
    list of Path
        Columns: ``sensor_id``, ``timestamp``, the features, ``anomaly`` (0 or 1) and
        ``anomaly_kind`` (empty on a normal reading).
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    done = 0
    for name, recording in parts.items():
        paths.append(folder / f"{name}.csv")
        _table(recording).write_csv(paths[-1])
        done += len(recording)
        progress(done)
    return paths


def _table(recording: SimulatedRecording) -> pl.DataFrame:
    features = {
        name: recording.X[:, column] for column, name in enumerate(recording.choice.features)
    }
    return pl.DataFrame(
        {
            "sensor_id": recording.sensor_ids,
            "timestamp": iso_texts(recording.event_time_ns),
            **features,
            "anomaly": (recording.kinds >= 0).astype("int8"),
            KIND_NAME: [kind or None for kind in recording.kind_names()],
        }
    )
