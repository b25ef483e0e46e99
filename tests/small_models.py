"""Small models for tests: fitted once a process, published where a test needs them."""

from functools import cache

import msgspec
import numpy as np

from scoring.features import FloatArray
from scoring.manifest import Manifest
from scoring.registry import CURRENT, MANIFEST, Current, Registry
from scoring.storage import Container
from training.estimators import FitOptions
from training.fitting import Artifact, fit

FEATURES = ("temperature", "vibration", "pressure")
CENTRE = (20.0, 1.0, 5.0)


def normal_readings(n: int, seed: int = 0) -> FloatArray:
    """Make readings of a healthy machine."""
    return np.random.default_rng(seed).normal(CENTRE, (1.0, 0.1, 0.5), (n, len(FEATURES)))


@cache
def small_model(
    name: str = "default", *, seed: int = 0, model: str = "isolation_forest", scaler: str = "none"
) -> Artifact:
    """Fit a model in a fraction of a second; another seed gives another version."""
    options = FitOptions(model=model, scaler=scaler, n_estimators=20, contamination=0.05, seed=seed)
    return fit(normal_readings(300, seed), FEATURES, options, name=name, source="test")


def publish(container: Container, artifact: Artifact) -> str:
    """Make an artifact the current version, and return the version."""
    Registry(container).publish(artifact.manifest, artifact.data)
    return artifact.manifest.version


def publish_broken(container: Container, name: str = "default") -> str:
    """Make a version current whose file was altered after its manifest was written."""
    artifact = small_model(name)
    manifest = _renamed(artifact.manifest, "broken-1")
    folder = f"{name}/{manifest.version}"
    container.put(f"{folder}/{manifest.file}", artifact.data + b"more")
    container.put(f"{folder}/{MANIFEST}", _json(manifest))
    container.put(f"{name}/{CURRENT}", _json(Current(manifest.version)))
    return manifest.version


def _renamed(manifest: Manifest, version: str) -> Manifest:
    return msgspec.structs.replace(manifest, version=version)


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)
