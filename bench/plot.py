"""Draws where the time goes, and how many events a second that makes."""

from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.results import Results
from bench.stages import STAGES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, which people with any colour vision can tell apart.
_COLOURS = (
    "#0072B2",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#D55E00",
    "#E69F00",
    "#CC79A7",
    "#BBBBBB",
)
_OURS, _OTHERS = "#0072B2", "#999999"
_PROMISED = 80_000


def plot(results: Results, path: Path) -> None:
    """Draw stages by size of batch beside events a second; replaces the file."""
    with mpl.rc_context({"axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(13, 4.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        _draw_stages(left, results)
        _draw_rates(right, results)
        figure.savefig(path, dpi=120)


def _draw_stages(axes: "Axes", results: Results) -> None:
    """Stack the stages; a batch of one would hide all others, and is told in words."""
    single = next((one for one in results.stages if one.n_events == 1), None)
    shown = [one for one in results.stages if one.n_events > 1]
    names = [f"{one.n_events:,}" for one in shown]
    bottom = [0.0] * len(shown)
    for stage, colour in zip(STAGES, _COLOURS, strict=True):
        # a difference of medians may come out a little below nothing
        heights = [max(one.us_per_event(stage), 0.0) for one in shown]
        axes.bar(names, heights, bottom=bottom, color=colour, label=stage, width=0.7)
        bottom = [low + height for low, height in zip(bottom, heights, strict=True)]
    for place, top in enumerate(bottom):
        axes.annotate(f"{top:.1f}", (place, top), (0, 3), textcoords="offset points", ha="center")
    handles, labels = axes.get_legend_handles_labels()
    # in the order of the stack, and beside it
    axes.legend(
        handles[::-1], labels[::-1], frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0)
    )
    axes.set_ylabel("µs an event")
    aside = f" (one by itself: {single.whole * 1e6:,.0f} µs)" if single else ""
    axes.set_xlabel(f"events in a batch{aside}")
    axes.set_title("Where the time goes")


def _draw_rates(axes: "Axes", results: Results) -> None:
    found = results.comparison
    bars = {
        "one event at a time": (found.one_by_one, _OTHERS),
        "straightforward app, batches of 1,000": (found.straightforward, _OTHERS),
    }
    for n_events, rate in found.whole.items():
        bars[f"Anomaly Scorer, batches of {n_events:,}"] = (rate, _OURS)
    rates = [rate for rate, _ in bars.values()]
    axes.barh(list(bars), rates, color=[colour for _, colour in bars.values()])
    for place, rate in enumerate(rates):
        axes.annotate(
            f"{rate:,.0f}", (rate, place), (4, 0), textcoords="offset points", va="center"
        )
    axes.invert_yaxis()
    axes.axvline(_PROMISED, color="black", linewidth=1, linestyle=":")
    axes.annotate(
        f"promised at 1,000: {_PROMISED:,}",
        (_PROMISED, -0.6),
        (4, 0),
        textcoords="offset points",
    )
    axes.margins(x=0.2)
    axes.locator_params(axis="x", nbins=5)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("events a second on one core, decoded to stored")
    axes.set_title("What that comes to")
