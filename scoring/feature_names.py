"""Names the columns of a model's matrix, in the order that it was fitted in."""

from typing import Any

from scoring.errors import ArtifactRejectedError


def feature_names(
    estimator: Any, told: tuple[str, ...] | None, *, artifact: str
) -> tuple[str, ...]:
    """Name the columns: as told, else as fitted, else by number.

    Parameters
    ----------
    estimator : scikit-learn estimator or pipeline
    told : tuple of str or None
        From the settings, the manifest or the file.
    artifact : str
        Named in errors.

    Raises
    ------
    ArtifactRejectedError
        If there are none, another number than was fitted, or the same in another order.
    UnicodeEncodeError
        If a name holds half a surrogate pair, which no store takes.
    """
    fitted = tuple(str(name) for name in getattr(estimator, "feature_names_in_", ()))
    width = int(getattr(estimator, "n_features_in_", 0)) or len(fitted)
    named = told or fitted or tuple(f"feature_{i + 1}" for i in range(width))
    if width and len(named) != width:
        raise ArtifactRejectedError(
            artifact,
            f"it was fitted on {width} features, and {len(named)} are named",
            "name each one in order, in FEATURE_KEYS or in the artifact's features",
        )
    if not named:
        raise ArtifactRejectedError(artifact, "it does not say its features", "set FEATURE_KEYS")
    check_order(named, fitted, artifact)
    "".join(named).encode()  # raises on half a surrogate pair
    return named


def check_order(named: tuple[str, ...], fitted: tuple[str, ...], artifact: str) -> None:
    """Refuse the same names in another order: columns would be mixed up.

    Raises
    ------
    ArtifactRejectedError
        With the order to use.
    """
    if named != fitted and set(named) == set(fitted):
        raise ArtifactRejectedError(
            artifact,
            "its features are named in another order than it was fitted in",
            f"use the order {','.join(fitted)}",
        )
