"""Model files to load: a small forest, bare or published."""

import io
from collections.abc import Sequence
from typing import Any

import joblib
import numpy as np
from sklearn.ensemble import IsolationForest

from scoring.artifacts import LoadedModel, load_bare, load_published
from scoring.manifest import Manifest
from training.fitting import describe

NAMES = ("temperature", "humidity")
_random = np.random.default_rng(4)
X = _random.normal(size=(200, 2))
X_NEW = _random.normal(size=(50, 2)) * 2
FOREST = IsolationForest(n_estimators=10, random_state=1).fit(X)
PUBLISHED = describe(FOREST, X, NAMES, name="pumps", training={}, contamination=0.01)


def dumped(content: Any) -> bytes:
    """Return a model file."""
    file = io.BytesIO()
    joblib.dump(content, file)
    return file.getvalue()


def bare(content: Any, path: str = "iforest.joblib", **options: Any) -> LoadedModel:
    """Load a bare artifact."""
    data = content if isinstance(content, bytes) else dumped(content)
    usual: dict[str, Any] = {"name": "pumps", "trusted": frozenset(), "feature_keys": None}
    return load_bare(data, path, **{**usual, **options})


def published(
    manifest: Manifest = PUBLISHED.manifest,
    data: bytes = PUBLISHED.data,
    feature_keys: Sequence[str] | None = None,
    **options: Any,
) -> LoadedModel:
    """Load a version of the registry layout."""
    return load_published(data, manifest, trusted=frozenset(), feature_keys=feature_keys, **options)
