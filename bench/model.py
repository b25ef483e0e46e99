"""Publishes the model that is measured: an isolation forest on six features."""

from pathlib import Path

import numpy as np

from bench.workload import FEATURES
from scoring.registry import Registry
from scoring.storage import FolderStorage
from training.estimators import FitOptions
from training.fitting import fit

_TRAINING_READINGS = 20_000
# Normal readings are left alone, so that the anomalies of a batch are the one percent it was given.
_CONTAMINATION = 0.001


def publish_model(data_dir: Path, n_estimators: int) -> None:
    """Fit a forest of so many trees on normal readings, and publish it in a folder."""
    X = np.random.default_rng(0).normal(size=(_TRAINING_READINGS, len(FEATURES)))
    options = FitOptions(scaler="none", n_estimators=n_estimators, contamination=_CONTAMINATION)
    artifact = fit(X, FEATURES, options, name="default", source="bench")
    Registry(FolderStorage(data_dir).container("models")).publish(artifact.manifest, artifact.data)
