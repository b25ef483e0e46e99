"""Adds to a bare artifact what it lacks: calibration, medians and golden rows."""

import hashlib
from datetime import UTC, datetime

from scoring.artifacts import LoadedModel, load_bare
from scoring.features import FloatArray
from scoring.manifest import Manifest
from scoring.registry import LoadOptions
from scoring.scorer import last_step
from training.estimators import FitError
from training.evidence import Evidence, library_versions
from training.fitting import complete_rows


def artifact_features(data: bytes, path: str, options: LoadOptions) -> tuple[str, ...]:
    """Name the features that a bare artifact needs, in its order."""
    return _opened(data, path, "default", options).features


def _opened(data: bytes, path: str, name: str, options: LoadOptions) -> LoadedModel:
    return load_bare(
        data, path, name=name, trusted=options.trusted, feature_keys=options.feature_keys
    )


def calibrate_artifact(
    data: bytes,
    path: str,
    X: FloatArray,
    features: tuple[str, ...],
    *,
    source: str,
    name: str = "default",
    options: LoadOptions | None = None,
) -> Manifest:
    """Describe a bare artifact from readings like those it was trained on.

    The manifest is to be stored beside the file, as ``<file>.manifest.json``.

    Parameters
    ----------
    data : bytes
        The artifact; it is not changed.
    path : str
        Its file name.
    X : ndarray of shape (n_readings, n_columns), float64
    features : tuple of str
        Names of the columns of `X`; those of the model are picked by name.
    source, name : str
        Where the readings come from; the model's name, from `MODEL_NAME`.
    options : LoadOptions, optional
        As the app will load the file.

    Raises
    ------
    ArtifactRejectedError
        If the file is not a plain model.
    FitError
        If the readings lack a feature of the model, none is complete, or one holds a number that
        no model can take.
    """
    model = _opened(data, path, name, options or LoadOptions())
    rows = _rows(model.features, X, features, source)
    return _described(model, rows, data, path, source)


def _rows(
    needed: tuple[str, ...], X: FloatArray, features: tuple[str, ...], source: str
) -> FloatArray:
    """Pick the columns that a model needs, in its order, of the readings without gaps."""
    missing = [name for name in needed if name not in features]
    if missing:
        raise FitError(
            f"{source} has no column {missing[0]!r}, which the model needs; its columns are"
            f" {', '.join(features)}"
        )
    chosen = X[:, [features.index(name) for name in needed]]
    rows = complete_rows(chosen, needed, source)
    if not len(rows):
        raise FitError(f"{source} has no reading without gaps; give other data")
    return rows


def _described(
    model: LoadedModel, rows: FloatArray, data: bytes, path: str, source: str
) -> Manifest:
    seen = Evidence.of(model.score, model.rule, rows)
    return Manifest(
        name=model.name,
        version=model.version,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        file="model.skops" if path.endswith(".skops") else "model.joblib",
        sha256=hashlib.sha256(data).hexdigest(),
        estimator=type(last_step(model.estimator)).__name__,
        features=list(model.features),
        medians=seen.medians,
        calibration=seen.calibration,
        golden=seen.golden,
        library_versions=library_versions(),
        training={"n_readings": len(rows), "source": source},
    )
