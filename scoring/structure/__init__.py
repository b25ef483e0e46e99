"""Checking of a model's structure before its first use.

Compiled code behind an estimator reads memory by its arrays' shapes and indices, and an
attribute may hide a method. A model passes here before anything of it is called.
"""

from typing import Any, Final

import numpy as np

from scoring.model_files.array_reading import is_scalar
from scoring.model_files.building_blocks import check_attribute_name, type_name
from scoring.model_files.model_faults import REFIT, ModelFaultError, refusing
from scoring.model_files.object_graphs import objects_within
from scoring.structure.fitted_attributes import FittedAttributes
from scoring.structure.models import MODEL_CHECKS
from scoring.structure.neighbours import NEIGHBOUR_CHECKS
from scoring.structure.transformers import TRANSFORMER_CHECKS
from scoring.structure.trees import TREE_CHECKS

_CHECKS: Final = {**MODEL_CHECKS, **NEIGHBOUR_CHECKS, **TREE_CHECKS}
_PIPELINE: Final = "sklearn.pipeline.Pipeline"
_TREE: Final = "sklearn.tree._tree.Tree"
_MOST_FEATURES: Final = 100_000  # far above any sensor fleet
_MOST_JOBS: Final = 256  # each may become a thread
_MOST_NESTED: Final = 10  # pipelines within pipelines; one is usual


def check_structure(estimator: object, *, artifact: str) -> None:
    """Check a model from a file before its first use.

    Attributes must not hide methods; arrays must have the shapes and finite values that the
    algorithm reads; what a pipeline's step puts out must be what the next takes in. A class
    that only `TRUSTED_MODEL_TYPES` allows gets the first of these alone.

    Parameters
    ----------
    estimator : object
        As `open_model_file` returned it: an estimator, or a dict that holds some.
    artifact : str
        What the error calls it.

    Raises
    ------
    ArtifactRejectedError
        Naming the class and the attribute at fault.
    """
    # an attribute of any type may stand where another belongs
    with refusing(artifact, "cannot be checked", REFIT):
        for value in objects_within(estimator):
            _check_attributes(value)
        for part in estimator.values() if isinstance(estimator, dict) else [estimator]:
            _check_fitted(part, _MOST_NESTED)


def _check_attributes(value: object) -> None:
    """Check what holds for every object, used or not."""
    if type_name(value) == _TREE and value.node_count < 1:  # type: ignore[attr-defined]  # a Tree
        raise ModelFaultError("holds a tree without nodes")
    attributes = getattr(value, "__dict__", None)
    if type(attributes) is not dict or isinstance(value, type) or callable(value):
        return
    for name in attributes:
        check_attribute_name(type(value), name)
    jobs = attributes.get("n_jobs")
    if jobs is not None and (type(jobs) is not int or abs(jobs) > _MOST_JOBS):
        raise ModelFaultError(f"holds a {type_name(value)} whose n_jobs starts too many threads")
    names = attributes.get("feature_names_in_")
    if names is not None and not _are_texts(names):
        raise ModelFaultError(f"holds a {type_name(value)} whose feature_names_in_ are no texts")


def _are_texts(names: object) -> bool:
    return (
        isinstance(names, np.ndarray)
        and names.ndim == 1
        and all(type(name) is str for name in names.tolist())
    )


def _check_fitted(estimator: object, depth: int) -> int | None:
    """Check an estimator that will be called; return how many columns it puts out, if known."""
    name = type_name(estimator)
    if name == _PIPELINE:
        return _check_pipeline(estimator, depth)
    if name not in _CHECKS and name not in TRANSFORMER_CHECKS:
        return None
    fitted = FittedAttributes(estimator)
    n_features = fitted.whole("n_features_in_", 1, _MOST_FEATURES)
    if fitted.has("feature_names_in_") and len(fitted.get("feature_names_in_")) != n_features:
        raise fitted.fault("whose feature_names_in_ are not n_features_in_ many")
    if name in TRANSFORMER_CHECKS:
        return TRANSFORMER_CHECKS[name](fitted, n_features)
    _CHECKS[name](fitted, n_features)
    return None


def _check_pipeline(pipeline: Any, depth: int) -> int | None:
    if not depth:
        raise ModelFaultError(f"holds more than {_MOST_NESTED} pipelines within each other")
    columns: int | None = None
    for step in _steps(pipeline):
        columns = _check_step(step, columns, depth - 1)
    return columns


def _steps(pipeline: Any) -> list[object]:
    steps = FittedAttributes(pipeline).get("steps")
    if type(steps) is not list or not steps:
        raise ModelFaultError("holds a pipeline without steps")
    for step in steps:
        if type(step) is not tuple or len(step) != 2 or type(step[0]) is not str:  # noqa: PLR2004 - name, estimator
            raise ModelFaultError("holds a pipeline with a step that is no named estimator")
    used = [step[1] for step in steps if step[1] is not None and step[1] != "passthrough"]
    if any(not hasattr(type(step), "transform") for step in used[:-1]):
        raise ModelFaultError("holds a pipeline with a step before the last that is no transformer")
    return used


def _check_step(step: object, columns: int | None, depth: int) -> int | None:
    """Check one step against what the step before it puts out."""
    if is_scalar(step):
        raise ModelFaultError("holds a pipeline with a step that is no estimator")
    n_features = _input_columns(step, _MOST_NESTED)
    if columns is not None and n_features is not None and n_features != columns:
        raise ModelFaultError(
            f"holds a pipeline whose {type_name(step)} takes {n_features} columns"
            f" where the step before puts out {columns}"
        )
    return _check_fitted(step, depth)


def _input_columns(step: object, depth: int) -> int | None:
    if type_name(step) == _PIPELINE and depth:
        steps = _steps(step)
        return _input_columns(steps[0], depth - 1) if steps else None
    columns = getattr(step, "__dict__", {}).get("n_features_in_")
    return columns if type(columns) is int else None
