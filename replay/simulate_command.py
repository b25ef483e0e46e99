"""Runs ``python -m replay simulate``."""

import argparse
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from replay.feature_specs import load_features
from replay.progress import progress_bar
from replay.recordings import reading_bodies
from replay.simulation import Simulation
from replay.simulation_files import simulate_parts, write_parts
from replay.times import NS_A_SECOND

PRINTED_AT_ONCE = 256  # steps: what comes out first comes out soon


def add_fleet_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that describe a simulated fleet."""
    parser.add_argument(
        "--features", type=Path, metavar="TOML", help="features file (temperature, humidity, noise)"
    )
    parser.add_argument("--stations", type=positive_int, default=5, metavar="N")
    parser.add_argument(
        "--interval", type=positive_float, default=1.0, metavar="S", help="seconds between readings"
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--anomaly-rate",
        type=share,
        metavar="R",
        help="share of readings inside anomalies (default: as in the features file)",
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_fleet_arguments(parser)
    parser.add_argument(
        "--steps", type=positive_int, default=2000, metavar="N", help="readings a station"
    )
    parser.add_argument(
        "--start",
        type=iso_time,
        metavar="TIME",
        help="first event time, ISO 8601 (default: so that the last one is now)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="write train.csv, validation.csv, test.csv and plot.png"
        " (default: print readings, one JSON object a line)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Simulate into a folder or to standard output; return the exit code."""
    start_ns = arguments.start
    if start_ns is None:
        start_ns = start_that_ends_now(arguments.steps, arguments.interval)
    simulation = fleet(arguments, start_ns)
    if arguments.out is None:
        return _print_readings(simulation, arguments.steps, sys.stdout.buffer)
    if arguments.steps < 4:  # noqa: PLR2004 - half, a quarter and a quarter of at least one
        raise argparse.ArgumentTypeError("--steps must be at least 4 with --out")
    _write(simulation, arguments.steps, arguments.out)
    return 0


def fleet(
    arguments: argparse.Namespace, start_ns: int, interval_s: float | None = None
) -> Simulation:
    """Build the fleet that the options describe."""
    return Simulation(
        load_features(arguments.features),
        n_stations=arguments.stations,
        interval_s=interval_s or arguments.interval,
        start_ns=start_ns,
        seed=arguments.seed,
        anomaly_rate=arguments.anomaly_rate,
    )


def start_that_ends_now(n_steps: int, interval_s: float) -> int:
    """Return the first event time of a simulation whose last one is now, in ns."""
    now_ns = time.time_ns() // NS_A_SECOND * NS_A_SECOND
    return now_ns - round((n_steps - 1) * interval_s * NS_A_SECOND)


def positive_int(text: str) -> int:
    """Parse a whole number above 0."""
    if (value := int(text)) <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def positive_float(text: str) -> float:
    """Parse a finite number above 0."""
    if not 0 < (value := float(text)) < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def share(text: str) -> float:
    """Parse a share in [0, 1)."""
    if not 0 <= (value := float(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 0 and below 1")
    return value


def iso_time(text: str) -> int:
    """Parse ISO 8601 (no zone: UTC) to nanoseconds since 1970."""
    parsed = datetime.fromisoformat(text)
    parsed = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return round(parsed.timestamp() * 1e6) * 1000


def _print_readings(simulation: Simulation, n_steps: int, out: BinaryIO) -> int:
    try:
        for done in range(0, n_steps, PRINTED_AT_ONCE):
            recording = simulation.next(min(PRINTED_AT_ONCE, n_steps - done))
            out.writelines(body + b"\n" for body in reading_bodies(recording))
        out.flush()
    except BrokenPipeError:
        # Whoever reads has had enough, as `head` has; nothing may be flushed to it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _write(simulation: Simulation, n_steps: int, folder: Path) -> None:
    # Only the plot needs it, and it takes a second to import.
    from replay.plot import plot_parts  # noqa: PLC0415 - see above

    total = n_steps * len(simulation.station_ids)
    with progress_bar("simulating", total) as advance:
        parts = simulate_parts(simulation, n_steps)
        paths = write_parts(parts, folder, advance)
    paths.append(folder / "plot.png")
    plot_parts(parts, simulation.specs, paths[-1])
    for name, part in parts.items():
        sys.stdout.write(
            f"{name}: {len(part):,} readings, {int((part.kinds >= 0).sum()):,} anomalous\n"
        )
    sys.stdout.write("".join(f"wrote {path}\n" for path in paths))
