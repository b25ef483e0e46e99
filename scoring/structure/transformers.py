"""What must hold within fitted transformers, with the number of columns each puts out."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from scoring.model_files.building_blocks import type_name
from scoring.structure.fitted_attributes import FittedAttributes

_DATA: Final = "sklearn.preprocessing._data."
_METHODS: Final = ("yeo-johnson", "box-cox")
_DISTRIBUTIONS: Final = ("normal", "uniform")


def _check_scale(fitted: FittedAttributes, n_features: int) -> None:
    if (fitted.numbers("scale_", (n_features,)) == 0).any():
        raise fitted.fault("whose scale_ holds a 0")


def _check_standard_scaler(fitted: FittedAttributes, n_features: int) -> int:
    if fitted.flag("with_mean"):
        fitted.numbers("mean_", (n_features,))
    if fitted.flag("with_std"):
        _check_scale(fitted, n_features)
    return n_features


def _check_robust_scaler(fitted: FittedAttributes, n_features: int) -> int:
    if fitted.flag("with_centering"):
        fitted.numbers("center_", (n_features,))
    if fitted.flag("with_scaling"):
        _check_scale(fitted, n_features)
    return n_features


def _check_min_max_scaler(fitted: FittedAttributes, n_features: int) -> int:
    fitted.numbers("min_", (n_features,))
    _check_scale(fitted, n_features)
    fitted.flag("clip")
    return n_features


def _check_max_abs_scaler(fitted: FittedAttributes, n_features: int) -> int:
    _check_scale(fitted, n_features)
    return n_features


def _check_quantile_transformer(fitted: FittedAttributes, n_features: int) -> int:
    n_quantiles = fitted.whole("n_quantiles_", 1, 2**31)
    fitted.numbers("quantiles_", (n_quantiles, n_features))
    fitted.numbers("references_", (n_quantiles,))
    fitted.choice("output_distribution", _DISTRIBUTIONS)
    return n_features


def _check_power_transformer(fitted: FittedAttributes, n_features: int) -> int:
    fitted.numbers("lambdas_", (n_features,))
    fitted.choice("method", _METHODS)
    if fitted.flag("standardize"):
        scaler = fitted.get("_scaler")
        if type_name(scaler) != _DATA + "StandardScaler":
            raise fitted.fault("whose _scaler is no StandardScaler")
        _check_standard_scaler(FittedAttributes(scaler), n_features)
    return n_features


def _check_pca(fitted: FittedAttributes, n_features: int) -> int:
    n_components = len(fitted.numbers("components_", (None, n_features)))
    fitted.numbers("mean_", (n_features,))
    fitted.numbers("explained_variance_", (n_components,))
    fitted.flag("whiten")
    return n_components


def _check_simple_imputer(fitted: FittedAttributes, n_features: int) -> int:
    if fitted.has("indicator_"):
        raise fitted.fault("that adds indicator columns")
    if fitted.get("keep_empty_features") or fitted.get("strategy") == "constant":
        fitted.numbers("statistics_", (n_features,))
        return n_features
    statistics = fitted.get("statistics_")
    if not isinstance(statistics, np.ndarray) or statistics.dtype.kind != "f":
        raise fitted.fault("whose statistics_ are no numbers")
    if statistics.shape != (n_features,) or np.isinf(statistics).any():
        raise fitted.fault("whose statistics_ have not one finite number a feature")
    return int(np.isfinite(statistics).sum())  # a column that was always missing is dropped


TRANSFORMER_CHECKS: Final[Mapping[str, Callable[[FittedAttributes, int], int]]] = MappingProxyType(
    {
        "sklearn.decomposition._pca.PCA": _check_pca,
        "sklearn.impute._base.SimpleImputer": _check_simple_imputer,
        _DATA + "MaxAbsScaler": _check_max_abs_scaler,
        _DATA + "MinMaxScaler": _check_min_max_scaler,
        _DATA + "PowerTransformer": _check_power_transformer,
        _DATA + "QuantileTransformer": _check_quantile_transformer,
        _DATA + "RobustScaler": _check_robust_scaler,
        _DATA + "StandardScaler": _check_standard_scaler,
    }
)
