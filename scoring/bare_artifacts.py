"""Unwraps model files as teams have them today: an estimator, or a dict around one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scoring.errors import ArtifactRejectedError
from scoring.scorer import Scorer, last_step, own_offset

_ESTIMATOR_KEYS = ("pipeline", "model", "clf")
# An Isolation Forest's decision_function seldom leaves [-0.3, 0.3]; a threshold above that was
# meant for -score_samples, which lies in [0, 1] with 0.5 in the middle.
_LARGEST_DECISION = 0.3
# What turns a threshold on a named scale into one on the scale of decision_function.
_SCALES = ("score", "decision_function", "score_samples", "-score_samples")


@dataclass(frozen=True, slots=True)
class BareArtifact:
    """An estimator and what its file says about it.

    Parameters
    ----------
    estimator : scikit-learn estimator or pipeline
    features : tuple of str or None
    threshold : float or None
        On the scale `threshold_scale`, or on one to be guessed.
    threshold_scale : str or None
    anomaly_class : optional
    """

    estimator: Any
    features: tuple[str, ...] | None = None
    threshold: float | None = None
    threshold_scale: str | None = None
    anomaly_class: Any = None


def unwrap(content: object, *, artifact: str) -> BareArtifact:
    """Find the estimator in what a file holds.

    Raises
    ------
    ArtifactRejectedError
        If there is none, or if a second estimator would be left out.
    """
    if not isinstance(content, Mapping):
        return BareArtifact(content)
    found = [key for key in _ESTIMATOR_KEYS if key in content]
    if len(found) != 1:
        keys = ", ".join(map(str, content)) or "nothing"
        raise ArtifactRejectedError(
            artifact,
            f"a dict that holds {keys}",
            f"put the estimator under one of {', '.join(_ESTIMATOR_KEYS)}",
        )
    _refuse_leftovers(content, found[0], artifact)
    return BareArtifact(
        _with_scaler(content.get("scaler"), content[found[0]]),
        _features(content.get("features"), artifact),
        _threshold(content.get("threshold"), artifact),
        _scale(content.get("threshold_scale"), artifact),
        content.get("anomaly_class"),
    )


def _refuse_leftovers(content: Mapping[Any, Any], used: str, artifact: str) -> None:
    for key, value in content.items():
        if key not in {used, "scaler"} and hasattr(value, "get_params"):
            raise ArtifactRejectedError(
                artifact,
                f"the estimator under {key!r} would be left out",
                "join the steps in one Pipeline under 'pipeline'",
            )


def _with_scaler(scaler: Any, estimator: Any) -> Any:
    if scaler is None:
        return estimator
    from sklearn.pipeline import Pipeline  # noqa: PLC0415  # 1 s, first use

    return Pipeline([("scaler", scaler), ("model", estimator)])


def _features(value: Any, artifact: str) -> tuple[str, ...] | None:
    if value is None:
        return None
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ArtifactRejectedError(artifact, "its features are no list", "list their names")
    names = tuple(str(name) for name in value)
    if len(set(names)) < len(names) or "" in names:
        raise ArtifactRejectedError(artifact, "its features are not distinct names", "name each")
    return names


def _threshold(value: Any, artifact: str) -> float | None:
    if value is None:
        return None
    try:
        threshold = float(value)
    except (TypeError, ValueError) as error:
        raise ArtifactRejectedError(artifact, "its threshold is no number", "set one") from error
    if threshold != threshold or abs(threshold) == float("inf"):  # noqa: PLR0124  # NaN
        raise ArtifactRejectedError(artifact, "its threshold is not finite", "set a number")
    return threshold


def _scale(value: Any, artifact: str) -> str | None:
    if value is not None and value not in _SCALES:
        raise ArtifactRejectedError(
            artifact, f"its threshold_scale is {value!r}", f"use one of {', '.join(_SCALES)}"
        )
    return None if value is None else str(value)


def native_threshold(
    bare: BareArtifact, scorer: Scorer, *, artifact: str
) -> tuple[float | None, str]:
    """Put a bare artifact's threshold on the scale of `score`.

    Returns
    -------
    float or None
        The threshold; the family's own where the artifact has none.
    str
        Which scale was taken, for the load log and health.

    Raises
    ------
    ArtifactRejectedError
        If the estimator has no such scale.
    """
    if bare.threshold is None:
        return scorer.threshold, "estimator"
    final = last_step(bare.estimator)
    scale = bare.threshold_scale
    if scale is None:
        forest = type(final).__name__ == "IsolationForest"
        scale = "-score_samples" if forest and bare.threshold > _LARGEST_DECISION else "score"
    if scale in {"score", scorer.method}:
        return bare.threshold, f"artifact, as {scale}"
    if not hasattr(final, "offset_"):
        raise ArtifactRejectedError(
            artifact,
            f"its threshold_scale is {scale!r}, and {type(final).__name__} has no such scale",
            "give the threshold on the scale of score",
        )
    offset = own_offset(final)
    return _converted(bare.threshold, scale, scorer.method, offset), f"artifact, as {scale}"


def _converted(threshold: float, scale: str, method: str, offset: float) -> float:
    """Convert by decision_function = score_samples - offset_."""
    if scale == "decision_function":  # and the score is score_samples
        return threshold + offset
    samples = -threshold if scale == "-score_samples" else threshold
    return samples if method == "score_samples" else samples - offset
