"""Turns readings into the model's matrix, and says which rows of a matrix are usable."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import isfinite
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from scoring.errors import ReadingRejectedError

FloatArray = npt.NDArray[np.float64]
_NUMBERS = {int, float}


@dataclass(frozen=True, slots=True)
class FeatureMatrix:
    """The rows that can be scored, and why the others cannot.

    Parameters
    ----------
    X : ndarray of shape (n_kept, n_features), float64
        In the model's feature order and units. Finite.
    kept : ndarray of shape (n_kept,), int64
        Which reading each row is.
    filled : ndarray of shape (n_kept,), int64
        How many features of the row were missing and took the training median.
    rejected : list of (int, ReadingRejectedError)
        The readings left out.
    """

    X: FloatArray
    kept: npt.NDArray[np.int64]
    filled: npt.NDArray[np.int64]
    rejected: list[tuple[int, ReadingRejectedError]]


def feature_matrix(
    payloads: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    medians: FloatArray | None = None,
) -> FeatureMatrix:
    """Take the named features out of decoded readings.

    Parameters
    ----------
    payloads : sequence of mapping
        Each a decoded JSON object; features stand in its `features` object or at its top.
    names : sequence of str
        In the model's order.
    medians : ndarray of shape (n_features,), optional
        Fills features that are missing; without it such a reading is rejected.
    """
    found = [_features_of(payload) for payload in payloads]
    rows = _all_rows(found, names)
    if rows is not None:
        n = len(found)
        return FeatureMatrix(rows, np.arange(n), np.zeros(n, np.int64), [])
    return _row_by_row(found, names, medians)


def usable_rows(X: FloatArray) -> npt.NDArray[np.bool_]:
    """Tell which rows of a training matrix would be scored: those without a gap.

    Parameters
    ----------
    X : ndarray of shape (n_readings, n_features), float64
    """
    return np.asarray(np.isfinite(X).all(axis=1), np.bool_)


def _features_of(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = payload.get("features")
    return inner if type(inner) is dict else payload


def _all_rows(found: Sequence[Mapping[str, Any]], names: Sequence[str]) -> FloatArray | None:
    """Build the matrix at once; None where any reading needs a closer look."""
    take = itemgetter(*names)
    try:
        # itemgetter gives no tuple for one name
        values = [take(row) for row in found]
        flat = values if len(names) == 1 else list(chain.from_iterable(values))
        if not _NUMBERS.issuperset(map(type, flat)):
            return None
        X = np.array(flat, np.float64).reshape(len(found), len(names))
    except (KeyError, OverflowError):
        return None
    return X if np.isfinite(X).all() else None


def _row_by_row(
    found: Sequence[Mapping[str, Any]], names: Sequence[str], medians: FloatArray | None
) -> FeatureMatrix:
    rows: list[list[float]] = []
    kept: list[int] = []
    filled: list[int] = []
    rejected: list[tuple[int, ReadingRejectedError]] = []
    for position, features in enumerate(found):
        try:
            row, missing = _row(features, names, medians)
        except ReadingRejectedError as error:
            rejected.append((position, error))
            continue
        rows.append(row)
        kept.append(position)
        filled.append(missing)
    X = np.array(rows, np.float64).reshape(len(rows), len(names))
    return FeatureMatrix(X, np.array(kept, np.int64), np.array(filled, np.int64), rejected)


def _row(
    features: Mapping[str, Any], names: Sequence[str], medians: FloatArray | None
) -> tuple[list[float], int]:
    row: list[float] = []
    missing = 0
    for column, name in enumerate(names):
        if name in features:
            row.append(_number(features[name], name))
        elif medians is not None:
            row.append(float(medians[column]))
            missing += 1
        else:
            raise ReadingRejectedError("missing_feature", f"the model needs feature {name!r}", name)
    return row, missing


_KINDS = {bool: "a boolean", str: "text", type(None): "null", list: "an array", dict: "an object"}


def _number(value: object, name: str) -> float:
    if type(value) is not int and type(value) is not float:
        found = _KINDS.get(type(value), type(value).__name__)
        raise ReadingRejectedError("feature_not_a_number", f"expected a number, not {found}", name)
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if not isfinite(number):
        raise ReadingRejectedError("feature_not_finite", "expected a finite number", name)
    return number
