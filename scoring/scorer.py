"""Scores a matrix with an estimator of any family, on one sign convention."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scoring.errors import ArtifactRejectedError, FeatureMismatchError
from scoring.features import FloatArray
from scoring.thresholds import Rule

ScoreRows = Callable[[FloatArray], FloatArray]
# A classifier's positive class by convention, after the outlier detectors' -1 of {-1, 1}.
_POSITIVE_CLASS = 1


@dataclass(frozen=True, slots=True)
class Scorer:
    """How one estimator scores rows, and on which side its anomalies lie.

    Parameters
    ----------
    method : str
        What is called on the estimator, for logs and health.
    score : callable
        Matrix of shape (n_readings, n_features) to native scores of shape (n_readings,).
    rule : {"below", "above", "from"}
        On which side of the threshold anomalies lie.
    threshold : float or None
        On the scale of `score`; None: the family has none of its own.
    """

    method: str
    score: ScoreRows
    rule: Rule
    threshold: float | None


def anomalousness(score: FloatArray, rule: Rule) -> FloatArray:
    """Turn native scores so that higher is more anomalous: the one place with a sign."""
    return -score if rule == "below" else score


def last_step(estimator: Any) -> Any:
    """Return the estimator that scores: the last step of a pipeline."""
    while hasattr(estimator, "steps"):
        estimator = estimator.steps[-1][1]
    return estimator


def choose_scorer(
    estimator: Any, *, artifact: str, anomaly_class: Any = None, rule: Rule | None = None
) -> Scorer:
    """Choose how an estimator scores, by the first family that fits in `docs/contracts.md`.

    Parameters
    ----------
    estimator : fitted scikit-learn estimator or pipeline
    artifact : str
        Named in errors.
    anomaly_class : optional
        The class whose probability is the score of a classifier.
    rule : {"below", "above"}, optional
        Which side of the threshold is anomalous, for estimators that leave it open.

    Raises
    ------
    ArtifactRejectedError
        If the estimator cannot score new readings; says what to change.
    """
    from sklearn.base import is_classifier, is_outlier_detector  # noqa: PLC0415  # 1 s, first use

    final = last_step(estimator)
    if type(final).__name__ == "LocalOutlierFactor":
        return _local_outlier_factor(estimator, final, artifact)
    if is_outlier_detector(estimator):
        return Scorer("decision_function", _flat(estimator.decision_function), "below", 0.0)
    if is_classifier(estimator):
        return _classifier(estimator, final, artifact, anomaly_class)
    if hasattr(final, "cluster_centers_"):
        return Scorer("transform", _nearest_centre(estimator), rule or "above", None)
    if hasattr(estimator, "predict"):
        return Scorer("predict", _flat(estimator.predict), rule or "above", None)
    raise ArtifactRejectedError(
        artifact,
        f"{type(final).__name__} has no method that scores new readings",
        "publish an estimator with decision_function, predict_proba or predict",
    )


def _flat(method: Callable[[FloatArray], Any]) -> ScoreRows:
    def score(X: FloatArray) -> FloatArray:
        return np.asarray(method(X), np.float64).reshape(len(X))

    return score


def _local_outlier_factor(estimator: Any, final: Any, artifact: str) -> Scorer:
    if not final.novelty:
        raise ArtifactRejectedError(
            artifact,
            "LocalOutlierFactor was fitted with novelty=False and cannot score new readings",
            "fit it again with novelty=True",
        )
    return Scorer("score_samples", _flat(estimator.score_samples), "below", own_offset(final))


def own_offset(final: Any) -> float:
    """Return what a detector takes off `score_samples` to decide; an SVM keeps it in an array."""
    return float(np.asarray(final.offset_, np.float64).reshape(1)[0])


def _classifier(estimator: Any, final: Any, artifact: str, anomaly_class: Any) -> Scorer:
    if not hasattr(estimator, "predict_proba"):
        raise ArtifactRejectedError(
            artifact,
            f"{type(final).__name__} is a classifier without predict_proba",
            "fit it so that it gives probabilities, or wrap it in CalibratedClassifierCV",
        )
    column = _anomaly_column(list(estimator.classes_), artifact, anomaly_class)

    def score(X: FloatArray) -> FloatArray:
        return np.asarray(estimator.predict_proba(X), np.float64)[:, column]

    return Scorer("predict_proba", score, "from", 0.5)


def _anomaly_column(classes: Sequence[Any], artifact: str, anomaly_class: Any) -> int:
    if anomaly_class is not None:
        if anomaly_class in classes:
            return classes.index(anomaly_class)
        found = f"anomaly_class {anomaly_class!r} is none of its classes {classes}"
    elif len(classes) == 2 and set(classes) == {-1, 1}:  # noqa: PLR2004  # normal or not
        return classes.index(-1)
    elif _POSITIVE_CLASS in classes:
        return classes.index(_POSITIVE_CLASS)
    else:
        found = f"none of its classes {classes} is known to mean an anomaly"
    raise ArtifactRejectedError(artifact, found, "say which in anomaly_class")


def _nearest_centre(estimator: Any) -> ScoreRows:
    def score(X: FloatArray) -> FloatArray:
        distances: FloatArray = np.asarray(estimator.transform(X), np.float64)
        nearest: FloatArray = distances.min(axis=1)
        return nearest

    return score


def checked(scorer: Scorer, n_features: int) -> ScoreRows:
    """Wrap scoring so that a matrix of another width is refused.

    Raises
    ------
    FeatureMismatchError
        From the wrapped call.
    """

    def score(X: FloatArray) -> FloatArray:
        if X.shape[1] != n_features:
            raise FeatureMismatchError(n_features, X.shape[1])
        return scorer.score(X)

    return score
