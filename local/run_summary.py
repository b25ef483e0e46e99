"""Says at the end of a run what was scored, what was found, and where it is."""

import json
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from local.accounts import Accounts
from scoring.sinks.sqlite import open_scores

# Sensors listed by name; the rest are summed up.
_MOST_SENSORS = 10
# Readings at either end of a sensor's stream: early alarms are false ones, late ones may be true.
_EDGE = 20

# Sensor and time in ms of every reading that is labelled an anomaly: TIME_TIE_BREAK moves times
# by less than that.
Truth = set[tuple[str, int]]
_MS = 1_000_000


def truth_key(sensor_id: str, event_time_ns: int) -> tuple[str, int]:
    """Name a reading as `Truth` does."""
    return sensor_id, event_time_ns // _MS


@dataclass(frozen=True, slots=True)
class Stored:
    """What the store holds after a run, ordered by sensor and time.

    Parameters
    ----------
    sensor_ids : list of str
    event_time_ns : ndarray of shape (n_readings,), int64
    flagged : ndarray of shape (n_readings,), bool
    causes : list of str
        The main cause of each anomaly that has one.
    """

    sensor_ids: list[str]
    event_time_ns: npt.NDArray[np.int64]
    flagged: npt.NDArray[np.bool_]
    causes: list[str]


@dataclass(frozen=True, slots=True)
class Quality:
    """How decisions compare with labels; shares in [0, 1]."""

    f1: float
    false_alarm_rate: float
    precision: float
    recall: float


def read_stored(scores: Path) -> Stored:
    """Read decisions and causes from the store."""
    with closing(open_scores(scores)) as connection:
        rows = connection.execute(
            "SELECT sensor_id, event_time, is_anomaly FROM scores ORDER BY sensor_id, event_time"
        ).fetchall()
        causes = connection.execute("SELECT cause FROM scores WHERE cause IS NOT NULL").fetchall()
    return Stored(
        [row[0] for row in rows],
        np.array([row[1] for row in rows], np.int64),
        np.array([bool(row[2]) for row in rows], np.bool_),
        [json.loads(cause)[0]["feature"] for (cause,) in causes],
    )


def quality(stored: Stored, truth: Truth) -> Quality:
    """Compare decisions with labels.

    References
    ----------
    F1 and false-alarm rate as on the SKAB leaderboard: FAR = FP / (FP + TN).
    """
    pairs = zip(stored.sensor_ids, stored.event_time_ns.tolist(), strict=True)
    y_true = np.array([truth_key(*pair) in truth for pair in pairs], np.bool_)
    y_pred = stored.flagged
    tp, fp = int((y_true & y_pred).sum()), int((~y_true & y_pred).sum())
    fn, tn = int((y_true & ~y_pred).sum()), int((~y_true & ~y_pred).sum())
    return Quality(
        f1=2 * tp / max(2 * tp + fp + fn, 1),
        false_alarm_rate=fp / max(fp + tn, 1),
        precision=tp / max(tp + fp, 1),
        recall=tp / max(tp + fn, 1),
    )


def edge_shares(stored: Stored) -> tuple[float, float] | None:
    """Return the share flagged among each sensor's first and last 20 streamed readings.

    None where no sensor has twice as many.
    """
    if not stored.sensor_ids:
        return None
    sensors = np.array(stored.sensor_ids)
    changes = np.flatnonzero(sensors[1:] != sensors[:-1]) + 1
    starts = [0, *changes.tolist()]
    ends = [*starts[1:], len(sensors)]
    first, last = [], []
    for start, end in zip(starts, ends, strict=True):
        if end - start >= 2 * _EDGE:
            first.append(stored.flagged[start : start + _EDGE])
            last.append(stored.flagged[end - _EDGE : end])
    if not first:
        return None
    return float(np.mean(first)), float(np.mean(last))


def print_summary(
    console: Console, accounts: Accounts, seconds: float, stored: Stored, truth: Truth | None
) -> None:
    """Print the figures of a run for a person."""
    flagged = int(stored.flagged.sum())
    share = flagged / max(len(stored.flagged), 1)
    rate = accounts.scored / max(seconds, 1e-9)
    console.print(
        f"\n[bold]{accounts.scored:,} readings scored[/bold] in {seconds:.1f} s"
        f" ({rate:,.0f} readings/s), {flagged:,} anomalies ({share:.1%})"
    )
    for reason, n in sorted(accounts.rejected.items()):
        console.print(f"  {n:,} rejected: {reason}")
    if accounts.collided:
        console.print(
            f"  {accounts.collided:,} share sensor and time with another reading and were"
            " replaced by it; TIME_TIE_BREAK=sequence keeps them apart"
        )
    if flagged:
        console.print(_sensor_table(stored))
    _print_quality(console, stored, truth)


def _sensor_table(stored: Stored) -> Table:
    sensors, places = np.unique(np.array(stored.sensor_ids), return_inverse=True)
    readings = np.bincount(places)
    anomalies = np.bincount(places, weights=stored.flagged).astype(int)
    table = Table(title="Anomalies by sensor", title_justify="left", box=None, pad_edge=False)
    for heading, justify in (("sensor", "left"), ("readings", "right"), ("anomalies", "right")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]  # rich's literals
    table.add_column("share", justify="right")
    order = np.argsort(-anomalies, kind="stable")
    for i in order[:_MOST_SENSORS]:
        share = f"{anomalies[i] / readings[i]:.1%}"
        table.add_row(str(sensors[i]), f"{readings[i]:,}", f"{anomalies[i]:,}", share)
    rest = order[_MOST_SENSORS:]
    if len(rest):
        n, found = int(readings[rest].sum()), int(anomalies[rest].sum())
        table.add_row(f"{len(rest)} others", f"{n:,}", f"{found:,}", f"{found / n:.1%}")
    return table


def _print_quality(console: Console, stored: Stored, truth: Truth | None) -> None:
    if stored.causes:
        names, counts = np.unique(np.array(stored.causes), return_counts=True)
        main = [f"{names[i]} ({counts[i]:,})" for i in np.argsort(-counts, kind="stable")[:3]]
        console.print(f"main causes: {', '.join(main)}")
    if truth is not None:
        found = quality(stored, truth)
        console.print(
            f"against the labels: F1 {found.f1:.2f}, false-alarm rate"
            f" {found.false_alarm_rate:.1%}, precision {found.precision:.2f}, recall"
            f" {found.recall:.2f}"
        )
    edges = edge_shares(stored)
    if edges is not None:
        console.print(
            f"flagged among each sensor's first {_EDGE} streamed readings {edges[0]:.1%},"
            f" among its last {_EDGE} {edges[1]:.1%}"
        )


def closing_line(accounts: Accounts, anomalies: int) -> str:
    """Return the line that every run ends with."""
    return (
        f"done: sent={accounts.sent} scored={accounts.scored}"
        f" rejected={sum(accounts.rejected.values())} anomalies={anomalies} lost={accounts.lost}"
    )
