"""Fixtures of a run: what it reads, a simulation that goes on.

A test module asks for them with `pytest_plugins`.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.local_runs import Run


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Two pumps, 100 readings each, two faults with labels, one empty cell."""
    path = tmp_path / "pumps.csv"
    generator = np.random.default_rng(3)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(["device_id", "datetime", "vibration", "pressure", "anomaly"])
        for second in range(100):
            for pump in ("pump-1", "pump-2"):
                fault = second == 90
                vibration = 50.0 if fault else generator.normal(2.0, 0.1)
                pressure = 90.0 if fault else generator.normal(5.0, 0.2)
                pressure = "" if (second, pump) == (80, "pump-1") else pressure
                time = f"2026-05-01 12:{second // 60:02d}:{second % 60:02d}"
                writer.writerow([pump, time, vibration, pressure, int(fault)])
    return path


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Run]:
    """Start a simulation; kill it if it is still there at the end."""
    started = Run(tmp_path)
    yield started
    if started.process.poll() is None:
        started.process.kill()
        started.end()
