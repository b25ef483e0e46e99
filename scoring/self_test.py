"""Scores a few rows with a model before any reading depends on it."""

from collections.abc import Sequence

import numpy as np

from scoring.errors import ArtifactRejectedError
from scoring.features import FloatArray
from scoring.manifest import GoldenRows
from scoring.scorer import ScoreRows

# Other processors add in another order; a wrong model differs by far more.
_GOLDEN_TOLERANCE = 1e-9
_REFIT = "fit it again with the versions in requirements.txt"


def self_test(
    score: ScoreRows,
    features: Sequence[str],
    medians: FloatArray | None,
    golden: GoldenRows | None,
    artifact: str,
) -> None:
    """Score the golden rows of a manifest, or else rows of medians or zeros.

    Parameters
    ----------
    score : callable
        The model's native scores.
    medians : ndarray of shape (n_features,), float64, or None
    artifact : str
        Named in the error.

    Raises
    ------
    ArtifactRejectedError
        If scoring fails, or gives other scores than where the model was made.
    """
    probe = np.zeros((2, len(features))) if medians is None else np.vstack([medians, medians])
    rows = np.array(golden.rows) if golden else probe
    found = _scored(score, rows, artifact)
    if found.shape != (len(rows),):
        raise ArtifactRejectedError(artifact, "it does not give one score a row", "fit it again")
    if golden and not np.allclose(
        found, golden.scores, rtol=_GOLDEN_TOLERANCE, atol=_GOLDEN_TOLERANCE
    ):
        raise ArtifactRejectedError(
            artifact,
            "it scores the golden rows of its manifest differently here",
            _REFIT,
        )


def _scored(score: ScoreRows, rows: FloatArray, artifact: str) -> FloatArray:
    try:
        return score(rows)
    except Exception as error:  # any estimator may fail in any way; none of them may get further
        raise ArtifactRejectedError(
            artifact,
            f"scoring {len(rows)} rows of its own failed: {type(error).__name__}: {error}",
            _REFIT,
        ) from error
