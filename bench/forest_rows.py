"""Measures the flat forest against scikit-learn's own evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from bench.deployment import Deployment
from bench.timing import interleaved_medians
from bench.workload import FEATURES

ROW_COUNTS = (1, 32, 256, 1_000, 4_000)


@dataclass(frozen=True, slots=True)
class ForestTimes:
    """Seconds a matrix of so many rows."""

    n_rows: int
    flat: float
    scikit_learn: float


def measure_forest(
    deployment: Deployment, seconds: float, counts: Sequence[int] = ROW_COUNTS
) -> list[ForestTimes]:
    """Time both ways in turn, on the rows of normal readings."""
    model = deployment.model
    found = []
    for n_rows in counts:
        X = np.random.default_rng(n_rows).normal(size=(n_rows, len(FEATURES)))
        calls = {
            "flat": partial(model.score, X),
            "scikit_learn": partial(model.estimator.decision_function, X),
        }
        found.append(ForestTimes(n_rows, **interleaved_medians(calls, seconds)))
    return found
