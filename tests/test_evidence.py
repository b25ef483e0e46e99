"""Tests of training.evidence: what training readings say about a model."""

import json
from importlib.metadata import version

import numpy as np
import pytest

from scoring.features import FloatArray
from scoring.thresholds import Rule, anomaly_scores
from training.evidence import Evidence, library_versions

ROWS = np.random.default_rng(6).normal(size=(100, 2))


def first(X: FloatArray) -> FloatArray:
    """Score by the first feature."""
    return np.asarray(X[:, 0])


def test_medians_are_those_of_each_feature() -> None:
    """In the order of the columns, as plain numbers."""
    assert Evidence.of(first, "above", ROWS).medians == np.median(ROWS, axis=0).tolist()


@pytest.mark.parametrize(("rule", "worst"), [("below", np.argmin), ("above", np.argmax)])
def test_the_calibration_follows_the_sign(rule: Rule, worst: object) -> None:
    """The worst training reading has the highest share, whichever side is anomalous."""
    seen = Evidence.of(first, rule, ROWS)
    severity = seen.score if rule == "above" else -seen.score
    shares = anomaly_scores(seen.calibration.calibration(), severity)
    assert np.argmax(shares) == worst(seen.score)  # type: ignore[operator]  # a NumPy function
    assert shares.max() == pytest.approx(0.99)


def test_golden_rows_span_from_the_least_to_the_most_anomalous() -> None:
    """Eight of them, with the scores that they have here."""
    golden = Evidence.of(first, "above", ROWS).golden
    assert len(golden.rows) == 8
    assert golden.scores == [row[0] for row in golden.rows]
    assert (golden.scores[0], golden.scores[-1]) == (ROWS[:, 0].min(), ROWS[:, 0].max())


def test_a_single_reading_is_evidence_enough() -> None:
    """It stands for all of them, once."""
    seen = Evidence.of(first, "above", ROWS[:1])
    assert (len(seen.golden.rows), seen.calibration.n_readings) == (1, 1)


def test_versions_are_those_installed() -> None:
    """As plain text, so that they can be written down."""
    found = library_versions()
    assert found["scikit-learn"] == version("scikit-learn")
    assert found["numpy"] == version("numpy")
    assert json.loads(json.dumps(found)) == found
