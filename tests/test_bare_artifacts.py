"""Tests of scoring.bare_artifacts: files as teams have them, and nothing left out of them."""

from typing import Any

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import LocalOutlierFactor
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from scoring.bare_artifacts import BareArtifact, native_threshold, unwrap
from scoring.errors import ArtifactRejectedError
from scoring.scorer import choose_scorer
from scoring.thresholds import is_anomaly

_random = np.random.default_rng(3)
X = _random.normal(size=(200, 2))
X_NEW = _random.normal(size=(100, 2)) * 2
FOREST = IsolationForest(n_estimators=20, contamination=0.1, random_state=1).fit(X)


def test_an_estimator_alone_is_the_model() -> None:
    """Nothing else is known about it."""
    assert unwrap(FOREST, artifact="m") == BareArtifact(FOREST)


@pytest.mark.parametrize("key", ["pipeline", "model", "clf"])
def test_three_keys_may_hold_the_estimator(key: str) -> None:
    """Beside what else the file says of it."""
    content = {key: FOREST, "features": ["a", "b"], "threshold": 0.1, "threshold_scale": "score"}
    assert unwrap({**content, "notes": "x"}, artifact="m") == BareArtifact(
        FOREST, ("a", "b"), 0.1, "score"
    )


def test_a_scaler_goes_before_the_model() -> None:
    """Readings pass through it, as they did in training."""
    scaler = StandardScaler().fit(X * 100)
    found = unwrap({"model": FOREST, "scaler": scaler}, artifact="m").estimator
    own = FOREST.decision_function(scaler.transform(X_NEW))
    assert np.array_equal(found.decision_function(X_NEW), own)


def test_the_anomaly_class_is_taken() -> None:
    """Any value that a class may have."""
    assert unwrap({"clf": FOREST, "anomaly_class": "bearing"}, artifact="m").anomaly_class


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({}, "holds nothing"),
        ({"estimator": FOREST}, "a dict that holds estimator"),
        ({"model": FOREST, "clf": FOREST}, "a dict that holds model, clf"),
        ({"model": FOREST, "pca": StandardScaler()}, "the estimator under 'pca' would be left out"),
        ({"model": FOREST, "features": ["a", "a"]}, "not distinct"),
        ({"model": FOREST, "features": ["a", ""]}, "not distinct"),
        ({"model": FOREST, "features": "a,b"}, "features are no list"),
        ({"model": FOREST, "features": 2}, "features are no list"),
        ({"model": FOREST, "threshold": "low"}, "threshold is no number"),
        ({"model": FOREST, "threshold": [1, 2]}, "threshold is no number"),
        ({"model": FOREST, "threshold": float("nan")}, "not finite"),
        ({"model": FOREST, "threshold": float("inf")}, "not finite"),
        ({"model": FOREST, "threshold_scale": "percent"}, "threshold_scale is 'percent'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_could_be_misread_is_refused(content: Any, found: str) -> None:
    """Scoring without a step, or with a guessed cut-off, would be worse than not scoring."""
    with pytest.raises(ArtifactRejectedError, match=found):
        unwrap(content, artifact="m")


def decide(bare: BareArtifact) -> tuple[Any, str]:
    """Return which new readings are anomalies, and the scale that was taken."""
    scorer = choose_scorer(bare.estimator, artifact="m")
    threshold, scale = native_threshold(bare, scorer, artifact="m")
    return is_anomaly(scorer.score(X_NEW), threshold, scorer.rule), scale


def test_a_forests_own_offset_decides_as_its_predict() -> None:
    """A published artifact says 0.569, which is -offset_: converted, not taken as a score."""
    decided, scale = decide(BareArtifact(FOREST, threshold=-float(FOREST.offset_)))
    assert -FOREST.offset_ > 0.3
    assert np.array_equal(decided, FOREST.predict(X_NEW) == -1)
    assert scale == "artifact, as -score_samples"


@pytest.mark.parametrize("threshold", [0.31, 0.45, 0.6])
def test_above_0_3_a_forests_threshold_is_one_of_score_samples(threshold: float) -> None:
    """Higher than the threshold in -score_samples is an anomaly."""
    decided, _ = decide(BareArtifact(FOREST, threshold=threshold))
    assert np.array_equal(decided, -FOREST.score_samples(X_NEW) > threshold)


@pytest.mark.parametrize("threshold", [-0.2, 0.0, 0.05, 0.3])
def test_up_to_0_3_a_forests_threshold_is_one_of_score(threshold: float) -> None:
    """Where decision_function lives."""
    decided, scale = decide(BareArtifact(FOREST, threshold=threshold))
    assert np.array_equal(decided, FOREST.decision_function(X_NEW) < threshold)
    assert scale == "artifact, as score"


DETECTORS = {
    "forest": FOREST,
    "SVM": OneClassSVM(nu=0.1).fit(X),
    "LOF": LocalOutlierFactor(novelty=True).fit(X),
}


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("scale", ["decision_function", "score_samples", "-score_samples"])
def test_a_named_scale_goes_before_any_guess(name: str, scale: str) -> None:
    """Whatever the estimator's score is, the decision is the one on the named scale."""
    estimator = DETECTORS[name]
    sign = -1 if scale.startswith("-") else 1
    values = sign * getattr(estimator, scale.lstrip("-"))(X_NEW)
    threshold = float(np.quantile(values, 0.4) + 1e-9)
    decided, said = decide(BareArtifact(estimator, threshold=threshold, threshold_scale=scale))
    assert np.array_equal(decided, values > threshold if sign < 0 else values < threshold)
    assert said == f"artifact, as {scale}"
    assert 0 < decided.sum() < len(decided)


def test_without_a_threshold_the_estimators_own_holds() -> None:
    """And where it has none, nothing decides."""
    decided, scale = decide(BareArtifact(FOREST))
    assert np.array_equal(decided, FOREST.predict(X_NEW) == -1)
    assert scale == "estimator"
    assert decide(BareArtifact(LinearRegression().fit(X, X[:, 0])))[0] is None


def test_a_scale_that_the_estimator_lacks_is_refused() -> None:
    """K-means has no decision_function to convert from."""
    bare = BareArtifact(KMeans(2, random_state=1).fit(X), None, 1.0, "decision_function")
    with pytest.raises(ArtifactRejectedError, match="KMeans has no such scale"):
        decide(bare)
