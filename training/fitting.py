"""Fits a model and describes it: threshold, calibration, medians, golden rows."""

import hashlib
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import joblib
import numpy as np

from scoring.features import FloatArray, usable_rows
from scoring.manifest import Manifest
from scoring.scorer import choose_scorer, last_step
from training.estimators import SAMPLED, FitError, FitOptions, make_estimator
from training.evidence import Evidence, library_versions

_LEAST_READINGS = 2
# scikit-learn's trees keep readings as float32, and squares of larger ones overflow elsewhere
_LARGEST = float(np.finfo(np.float32).max)
_MOST_NAMED = 3  # of the columns with gaps


@dataclass(frozen=True, slots=True)
class Artifact:
    """A model file and its manifest, ready to be published."""

    manifest: Manifest
    data: bytes


def fit(
    X: FloatArray, features: Sequence[str], options: FitOptions, *, name: str, source: str
) -> Artifact:
    """Fit a model on readings that are taken as normal.

    Parameters
    ----------
    X : ndarray of shape (n_readings, n_features), float64
        Rows with a missing value are left out.
    features : sequence of str
        Names of the columns, in order.
    options : FitOptions
    name : str
        The model's name in the registry.
    source : str
        Where the readings come from, for the manifest.

    Raises
    ------
    FitError
        If there are too few complete readings, one holds a number that no model can take, or
        the options cannot be met.
    """
    rows = _enough_rows(X, features, source)
    sample = _sample(rows, options)
    training = {
        "n_readings": len(rows),
        "n_fitted": len(sample),
        "source": source,
        "model": options.model,
        "scaler": options.scaler,
        "contamination": options.contamination,
        "seed": options.seed,
    }
    estimator = _fitted(sample, options, source)
    share = options.contamination
    return describe(estimator, rows, features, name=name, training=training, contamination=share)


def _enough_rows(X: FloatArray, features: Sequence[str], source: str) -> FloatArray:
    rows = complete_rows(X, features, source)
    if len(rows) < _LEAST_READINGS:
        raise FitError(
            f"{source}: {len(rows)} readings without gaps, and fitting needs at least"
            f" {_LEAST_READINGS}; {_most_gaps(X, features)}choose other features with FEATURES or"
            " --features, or give more data"
        )
    return rows


def _fitted(sample: FloatArray, options: FitOptions, source: str) -> Any:
    estimator = make_estimator(options, sample)
    with warnings.catch_warnings():
        # told by a determinant near zero; the golden rows hold the model against its own scores
        warnings.filterwarnings("ignore", "The covariance matrix", UserWarning)
        try:
            return estimator.fit(sample)
        except ValueError as error:  # scikit-learn says which parameter, and what it may be
            raise FitError(f"{options.model} cannot be fitted on {source}: {error}") from error


def complete_rows(X: FloatArray, features: Sequence[str], source: str) -> FloatArray:
    """Return the readings without gaps.

    Raises
    ------
    FitError
        If one holds a number that no model can take.
    """
    rows = X[usable_rows(X)]
    is_too_large = np.abs(rows) > _LARGEST
    if is_too_large.any():
        row, column = np.argwhere(is_too_large)[0]
        raise FitError(
            f"{source}: feature {features[column]!r} holds {rows[row, column]:g}, and models take"
            f" numbers up to {_LARGEST:.0e}; correct the reading, or leave the feature out with"
            " FEATURES or --features"
        )
    return rows


def _most_gaps(X: FloatArray, features: Sequence[str]) -> str:
    """Name the columns with most gaps, if there are any."""
    share = 1.0 - np.isfinite(X).mean(axis=0) if len(X) else np.zeros(len(features))
    order = [i for i in np.argsort(-share, kind="stable")[:_MOST_NAMED] if share[i]]
    named = ", ".join(f"{features[i]!r} ({share[i]:.0%})" for i in order)
    return f"most gaps are in {named}; " if named else ""


def _sample(rows: FloatArray, options: FitOptions) -> FloatArray:
    most = SAMPLED.get(options.model, len(rows))
    if len(rows) <= most:
        return rows
    chosen = np.random.default_rng(options.seed).choice(len(rows), most, replace=False)
    return rows[np.sort(chosen)]


def describe(
    estimator: Any,
    rows: FloatArray,
    features: Sequence[str],
    *,
    name: str,
    training: dict[str, Any],
    contamination: float,
) -> Artifact:
    """Pack a fitted estimator with what its training readings say about its scores."""
    scorer = choose_scorer(estimator, artifact=name)
    created = datetime.now(UTC)
    data = _dump(estimator)
    digest = hashlib.sha256(data).hexdigest()
    seen = Evidence.of(scorer.score, scorer.rule, rows)
    manifest = Manifest(
        name=name,
        version=f"{created:%Y%m%dT%H%M%S}-{digest[:8]}",
        created_at=created.isoformat(timespec="seconds"),
        file="model.joblib",
        sha256=digest,
        estimator=type(last_step(estimator)).__name__,
        features=list(features),
        # only for families that have no threshold of their own
        threshold=(
            float(np.quantile(seen.score, 1.0 - contamination))
            if scorer.threshold is None
            else None
        ),
        medians=seen.medians,
        calibration=seen.calibration,
        golden=seen.golden,
        library_versions=library_versions(),
        training=training,
    )
    return Artifact(manifest, data)


def _dump(estimator: Any) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(estimator, buffer, compress=("zlib", 3))
    return buffer.getvalue()
