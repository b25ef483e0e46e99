"""What training readings say about a model: its usual scores, its medians, rows to know it by."""

import platform
from dataclasses import dataclass
from typing import Self

import joblib
import numpy as np

from scoring.features import FloatArray
from scoring.manifest import CalibrationRecord, GoldenRows
from scoring.scorer import ScoreRows, anomalousness
from scoring.thresholds import Rule, calibrate

# From the least to the most anomalous; enough that another model does not score them alike.
_GOLDEN_ROWS = 8


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a manifest records about a model's behaviour on its training readings.

    Parameters
    ----------
    score : ndarray of shape (n_readings,), float64
        Native scores.
    medians : list of float
        Of each feature.
    calibration : CalibrationRecord
    golden : GoldenRows
    """

    score: FloatArray
    medians: list[float]
    calibration: CalibrationRecord
    golden: GoldenRows

    @classmethod
    def of(cls, score_rows: ScoreRows, rule: Rule, rows: FloatArray) -> Self:
        """Score the training readings and record the outcome.

        Parameters
        ----------
        score_rows : callable
            Native scores of a matrix.
        rule : {"below", "above", "from"}
        rows : ndarray of shape (n_readings, n_features), float64
            Finite, at least one.
        """
        score = score_rows(rows)
        severity = anomalousness(score, rule)
        places = np.unique(np.linspace(0, len(rows) - 1, _GOLDEN_ROWS).astype(int))
        chosen = rows[np.argsort(severity, kind="stable")[places]]
        return cls(
            score=score,
            medians=np.median(rows, axis=0).tolist(),
            calibration=CalibrationRecord.of(calibrate(severity)),
            golden=GoldenRows(rows=chosen.tolist(), scores=score_rows(chosen).tolist()),
        )


def library_versions() -> dict[str, str]:
    """Name the versions that a model depends on."""
    import sklearn  # noqa: PLC0415  # 1 s, first use

    return {
        "python": platform.python_version(),
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
        "joblib": joblib.__version__,
    }
