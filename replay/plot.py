"""Draws a simulation with its anomalies."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from replay.anomalies import NORMAL
from replay.feature_specs import KINDS, FeatureSpec
from replay.simulation import SimulatedRecording

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, which people with any colour vision can tell apart.
COLOURS = dict(zip(KINDS, ("#D55E00", "#E69F00", "#CC79A7", "#009E73"), strict=True))
LINE_COLOUR = "#0072B2"
MOST_OTHER_STATIONS = 4  # more grey lines hide the one that is looked at
WIDTH_IN, PANEL_HEIGHT_IN = 12.0, 2.4

Intervals = list[tuple[int, int, int]]


def plot_parts(
    parts: Mapping[str, SimulatedRecording], specs: Sequence[FeatureSpec], path: Path
) -> None:
    """Draw one panel a feature: the station with the most anomalies, others in grey behind it.

    Parameters
    ----------
    parts : mapping of str to SimulatedRecording
        Consecutive; each one's name stands where it begins.
    specs : sequence of FeatureSpec
        Names and units.
    path : Path
        A PNG file; replaced.
    """
    stations = _stations_by_anomalies(parts)
    with mpl.rc_context(
        {"axes.spines.top": False, "axes.spines.right": False, "date.converter": "concise"}
    ):
        figure = Figure(figsize=(WIDTH_IN, PANEL_HEIGHT_IN * len(specs) + 1), layout="constrained")
        panels = figure.subplots(len(specs), 1, sharex=True, squeeze=False)[:, 0].tolist()
        for column, (panel, spec) in enumerate(zip(panels, specs, strict=True)):
            _draw_feature(panel, parts, stations, column)
            panel.set_ylabel(f"{spec.name} ({spec.unit})" if spec.unit else spec.name)
        _draw_parts(panels, parts)
        panels[-1].set_xlabel("event time (UTC)")
        figure.suptitle(f"Simulated readings of {stations[0]}; other stations in grey")
        kinds = [Patch(color=colour, alpha=0.4, label=kind) for kind, colour in COLOURS.items()]
        figure.legend(handles=kinds, loc="outside lower center", ncols=len(kinds), frameon=False)
        figure.savefig(path, dpi=120)


def _stations_by_anomalies(parts: Mapping[str, SimulatedRecording]) -> list[str]:
    counts: dict[str, int] = {}
    for part in parts.values():
        for station, kind in zip(part.sensor_ids, part.kinds.tolist(), strict=True):
            counts[station] = counts.get(station, 0) + (kind != NORMAL)
    return sorted(counts, key=lambda station: -counts[station])


def _draw_feature(
    panel: "Axes", parts: Mapping[str, SimulatedRecording], stations: Sequence[str], column: int
) -> None:
    for part in parts.values():
        ids = np.array(part.sensor_ids)
        for station in stations[1 : 1 + MOST_OTHER_STATIONS]:
            of_station = ids == station
            panel.plot(
                _dates(part)[of_station], part.X[of_station, column], color="#BBBBBB", lw=0.5
            )
        shown = part.take(np.flatnonzero(ids == stations[0]))
        panel.plot(_dates(shown), shown.X[:, column], color=LINE_COLOUR, lw=0.9, zorder=3)
        _shade(panel, shown, column)


def _shade(panel: "Axes", shown: SimulatedRecording, column: int) -> None:
    dates = _dates(shown)
    kinds = np.where(shown.columns == column, shown.kinds, NORMAL)
    for start, stop, kind in _runs(kinds):
        # A single reading would have no width.
        first, last = dates[max(start - 1, 0)], dates[min(stop, len(dates) - 1)]
        panel.axvspan(first, last, color=COLOURS[KINDS[kind]], alpha=0.4, lw=1.5, zorder=2)


def _runs(kinds: npt.NDArray[np.int16]) -> Intervals:
    """Return start, end and kind of each stretch of anomalous readings."""
    edges = np.flatnonzero(np.diff(kinds)) + 1
    starts = [0, *edges.tolist()]
    stops = [*edges.tolist(), len(kinds)]
    runs = zip(starts, stops, strict=True)
    return [(start, stop, int(kinds[start])) for start, stop in runs if kinds[start] != NORMAL]


def _draw_parts(panels: Sequence["Axes"], parts: Mapping[str, SimulatedRecording]) -> None:
    for name, part in parts.items():
        for panel in panels:
            panel.axvline(_dates(part)[0], color="black", lw=0.8, ls=":")
        panels[0].annotate(
            f" {name}",
            (_dates(part)[0], 1.0),
            xycoords=("data", "axes fraction"),
            va="bottom",
            fontsize="small",
        )


def _dates(recording: SimulatedRecording) -> npt.NDArray[Any]:
    return recording.event_time_ns.view("datetime64[ns]")
