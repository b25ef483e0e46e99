"""Turns a model file into a model that is ready to score, or refuses it."""

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from scoring.bare_artifacts import BareArtifact, native_threshold, unwrap
from scoring.errors import ArtifactRejectedError
from scoring.feature_names import check_order, feature_names
from scoring.features import FloatArray
from scoring.flat_scoring import flat_scorer
from scoring.manifest import Manifest
from scoring.model_files import Kind, open_model_file
from scoring.model_files.model_faults import REFIT, refusing
from scoring.scorer import Scorer, ScoreRows, checked, choose_scorer
from scoring.self_test import self_test
from scoring.structure import check_structure
from scoring.thresholds import Calibration, Rule

_VERSION_DIGITS = 12
# Refuses what an estimator raises while it is asked what it is, and tried.
_usable = partial(refusing, unlike="cannot be used", remedy=REFIT)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model that is ready to score; immutable, safe to use from any thread.

    Parameters
    ----------
    name, version : str
        Written beside every score.
    features : tuple of str
        The order of the matrix's columns.
    estimator : scikit-learn estimator or pipeline
    method : str
        Which of its methods gives `score`.
    score : callable
        Matrix of shape (n_readings, n_features) to native scores of shape (n_readings,).
    rule, threshold
        On which side of what an anomaly lies; no threshold, no decision.
    threshold_scale : str
        Where the threshold comes from.
    calibration : Calibration or None
        None: `anomaly_score` is null.
    medians : ndarray of shape (n_features,), float64, or None
        None: `cause` is null, and missing features cannot be filled.
    notes : tuple of str
        What its owner should know; for the log.
    created_at : str or None
        When it was made, as its manifest says.
    """

    name: str
    version: str
    features: tuple[str, ...]
    estimator: Any
    method: str
    score: ScoreRows
    rule: Rule
    threshold: float | None
    threshold_scale: str
    calibration: Calibration | None
    medians: FloatArray | None
    notes: tuple[str, ...]
    created_at: str | None = None


def load_published(
    data: bytes,
    manifest: Manifest,
    *,
    trusted: frozenset[str],
    feature_keys: Sequence[str] | None,
    needs_medians: bool = False,
) -> LoadedModel:
    """Open a model file of the registry layout and hold it against its manifest.

    Parameters
    ----------
    data : bytes
        The model file.
    manifest : Manifest
    trusted : frozenset of str
        Class names from `TRUSTED_MODEL_TYPES`.
    feature_keys : sequence of str, optional
        From `FEATURE_KEYS`; goes before the manifest.
    needs_medians : bool
        Whether missing features are to be filled with them.

    Raises
    ------
    ArtifactRejectedError
        If anything about the file is not as it should be; nothing in it has run.
    """
    artifact = f"{manifest.name}/{manifest.version}"
    _check_hash(data, manifest, artifact)
    content, notes = _open(data, artifact, manifest.file, trusted)
    with _usable(artifact):
        features = tuple(feature_keys or manifest.features)
        bare = replace(unwrap(content, artifact=artifact), features=features)
        model = _ready(bare, manifest.name, manifest.version, artifact, notes, manifest)
    return _with_medians(model, artifact) if needs_medians else model


def load_bare(
    data: bytes,
    path: str,
    *,
    name: str,
    trusted: frozenset[str],
    feature_keys: Sequence[str] | None,
    needs_medians: bool = False,
    beside: Manifest | None = None,
) -> LoadedModel:
    """Open a bare artifact; its version is the start of its SHA-256.

    Parameters
    ----------
    data, trusted, feature_keys, needs_medians
        As for `load_published`.
    path : str
        Where it lies in its container.
    name : str
        From `MODEL_NAME`.
    beside : Manifest, optional
        What `python -m training calibrate` wrote beside the file; ignored, with a note, where
        it describes another file.

    Raises
    ------
    ArtifactRejectedError
        If anything about the file is not as it should be; nothing in it has run.
    """
    content, notes = _open(data, path, path, trusted)
    if beside is not None and beside.sha256 != hashlib.sha256(data).hexdigest():
        notes += ("the manifest beside it is of another file; run python -m training calibrate",)
        beside = None
    with _usable(path):
        bare = _named(unwrap(content, artifact=path), feature_keys, beside, path)
        model = _ready(bare, name, version_of(data), path, notes, beside)
    return _with_medians(model, path) if needs_medians else model


def _named(
    bare: BareArtifact, feature_keys: Sequence[str] | None, beside: Manifest | None, path: str
) -> BareArtifact:
    """Name its features: as set, else as the file says, else as the manifest beside it does."""
    if feature_keys and bare.features:
        check_order(tuple(feature_keys), bare.features, path)
    chosen = feature_keys or bare.features or (tuple(beside.features) if beside else None)
    return replace(bare, features=tuple(chosen) if chosen else None)


def version_of(data: bytes) -> str:
    """Name the version of a bare artifact: the start of its SHA-256."""
    return hashlib.sha256(data).hexdigest()[:_VERSION_DIGITS]


def _with_medians(model: LoadedModel, artifact: str) -> LoadedModel:
    if model.medians is None:
        raise ArtifactRejectedError(
            artifact,
            "it has no training medians, and MISSING_FEATURES=median fills with them",
            "run python -m training calibrate, or set MISSING_FEATURES=reject",
        )
    return model


def _check_hash(data: bytes, manifest: Manifest, artifact: str) -> None:
    if hashlib.sha256(data).hexdigest() != manifest.sha256:
        raise ArtifactRejectedError(
            artifact,
            f"{manifest.file} is not the file that its manifest describes (SHA-256 differs)",
            "publish it again; files of a version are never replaced",
        )


def _open(
    data: bytes, artifact: str, file: str, trusted: frozenset[str]
) -> tuple[object, tuple[str, ...]]:
    """Return what a file of that name holds, and what was warned of on the way."""
    kind: Kind = "skops" if file.endswith(".skops") else "joblib"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        content = open_model_file(data, artifact=artifact, kind=kind, trusted=trusted)
    return content, tuple(sorted({str(warning.message).split("\n")[0] for warning in caught}))


def _ready(
    bare: BareArtifact,
    name: str,
    version: str,
    artifact: str,
    notes: tuple[str, ...],
    manifest: Manifest | None,
) -> LoadedModel:
    check_structure(bare.estimator, artifact=artifact)
    features = feature_names(bare.estimator, bare.features, artifact=artifact)
    if manifest is not None:
        check_order(features, tuple(manifest.features), artifact)
    _prepare(bare.estimator)
    scorer = choose_scorer(
        bare.estimator,
        artifact=artifact,
        anomaly_class=_anomaly_class(bare, manifest),
        rule=manifest.anomalous if manifest else None,
    )
    threshold, scale = _threshold(bare, scorer, manifest, artifact)
    score = checked(flat_scorer(bare.estimator, scorer, artifact), len(features))
    medians = _medians(manifest, bare.estimator, len(features))
    self_test(score, features, medians, manifest.golden if manifest else None, artifact)
    return LoadedModel(
        name=name,
        version=version,
        features=features,
        estimator=bare.estimator,
        method=scorer.method,
        score=score,
        rule=scorer.rule,
        threshold=threshold,
        threshold_scale=scale,
        calibration=_calibration(manifest),
        medians=medians,
        notes=notes,
        created_at=manifest.created_at if manifest else None,
    )


def _steps(estimator: Any) -> Iterator[Any]:
    yield estimator
    for _, step in getattr(estimator, "steps", ()):
        yield from _steps(step)


def _prepare(estimator: Any) -> None:
    """Keep scoring on one thread, and quiet."""
    for step in _steps(estimator):
        if getattr(step, "n_jobs", 1) != 1:
            step.n_jobs = 1  # more threads cost more than they give below thousands of rows
        if getattr(step, "verbose", 0):
            step.verbose = 0  # a forest would print lines for every batch
        vars(step).pop("feature_names_in_", None)  # or it warns of columns without names


def _anomaly_class(bare: BareArtifact, manifest: Manifest | None) -> Any:
    """Take the manifest's class, else the one that the file names."""
    if manifest is not None and manifest.anomaly_class is not None:
        return manifest.anomaly_class
    return bare.anomaly_class


def _threshold(
    bare: BareArtifact, scorer: Scorer, manifest: Manifest | None, artifact: str
) -> tuple[float | None, str]:
    if manifest is not None and manifest.threshold is not None:
        return manifest.threshold, "manifest, as score"
    return native_threshold(bare, scorer, artifact=artifact)


def _calibration(manifest: Manifest | None) -> Calibration | None:
    record = manifest.calibration if manifest else None
    return record.calibration() if record else None


def _medians(manifest: Manifest | None, estimator: Any, n_features: int) -> FloatArray | None:
    """Take the training medians, else the centre that a scaler remembers."""
    if manifest is not None and manifest.medians is not None:
        return np.array(manifest.medians, np.float64)
    steps = getattr(estimator, "steps", ())
    first = steps[0][1] if steps else None
    for attribute in ("center_", "mean_"):
        centre = getattr(first, attribute, None)
        if centre is not None and hasattr(first, "scale_") and len(centre) == n_features:
            return np.array(centre, np.float64)
    return None
