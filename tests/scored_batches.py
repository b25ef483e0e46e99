"""Scored readings for tests of the stores."""

from dataclasses import replace
from typing import Any

import numpy as np

from scoring.attribution import Share
from scoring.scored import ScoredBatch
from tests.event_batches import ENQUEUED_NS


def scored_batch(n: int = 2, *, first: int = 0, **changes: Any) -> ScoredBatch:
    """Make `n` scored readings of one sensor, a second apart; the first is an anomaly."""
    numbers = np.arange(first, first + n)
    severity = np.asarray(1.0 / (numbers + 2.0), np.float64)
    batch = ScoredBatch(
        model="default",
        model_version="v1",
        features=("temperature", "vibration"),
        sensor_ids=["pump-1"] * n,
        event_time_ns=ENQUEUED_NS + numbers * 1_000_000_000,
        X=np.column_stack([numbers + 0.5, numbers + 0.25]),
        filled=np.zeros(n, np.int64),
        score=0.1 - severity,
        anomaly_score=severity,
        is_anomaly=np.arange(n) == 0,
        causes={0: (Share("vibration", 0.75), Share("temperature", 0.25))},
        payloads=[{}] * n,
        partition="0",
        sequence_numbers=numbers,
        indexes=np.zeros(n, np.int64),
    )
    return replace(batch, **changes)
