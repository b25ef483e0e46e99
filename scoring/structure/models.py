"""What must hold within the other fitted models before they score."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from scoring.structure.fitted_attributes import FittedAttributes

# libsvm reads "precomputed" as row numbers into memory; a function would be a callable.
_KERNELS: Final = ("linear", "poly", "rbf", "sigmoid")
_ACTIVATIONS: Final = ("identity", "logistic", "relu", "tanh")
_OUTPUT_ACTIVATIONS: Final = ("exp", "identity", "logistic", "softmax")
_MOST_THREADS: Final = (
    1024  # fitted on the largest machine; OpenMP aborts when it cannot start them
)
_HIGHEST_DEGREE: Final = 100  # of a polynomial kernel; 3 is usual


def _check_one_class_svm(fitted: FittedAttributes, n_features: int) -> None:
    fitted.choice("kernel", _KERNELS)
    if fitted.flag("_sparse"):
        raise fitted.fault("that was fitted on sparse data")
    n_vectors = len(fitted.exact("support_vectors_", (None, n_features), np.float64))
    fitted.exact("support_", (n_vectors,), np.int32)
    counts = fitted.exact("_n_support", (2,), np.int32)
    if counts[0] != n_vectors:
        raise fitted.fault("whose _n_support is not its number of support vectors")
    for name in ("_dual_coef_", "dual_coef_"):
        fitted.exact(name, (1, n_vectors), np.float64)
    for name in ("_intercept_", "intercept_", "offset_"):
        fitted.exact(name, (1,), np.float64)
    for name in ("_probA", "_probB"):
        fitted.exact(name, (0,), np.float64)
    for name in ("_gamma", "coef0", "cache_size"):
        fitted.number(name)
    fitted.whole("degree", 0, _HIGHEST_DEGREE)


def _check_sgd_one_class(fitted: FittedAttributes, n_features: int) -> None:
    fitted.numbers("coef_", (n_features,))
    fitted.numbers("offset_", (1,))


def _check_elliptic_envelope(fitted: FittedAttributes, n_features: int) -> None:
    fitted.numbers("location_", (n_features,))
    fitted.numbers("covariance_", (n_features, n_features))
    if fitted.flag("store_precision"):
        fitted.numbers("precision_", (n_features, n_features))
    fitted.number("offset_")


def _check_k_means(fitted: FittedAttributes, n_features: int) -> None:
    centres = fitted.numbers("cluster_centers_", (None, n_features))
    if not centres.flags.c_contiguous:
        raise fitted.fault("whose cluster_centers_ are not contiguous")
    fitted.whole("n_clusters", len(centres), len(centres))
    fitted.whole("_n_threads", 1, _MOST_THREADS)


def _check_logistic_regression(fitted: FittedAttributes, n_features: int) -> None:
    n_classes = fitted.classes()
    rows = 1 if n_classes == 2 else n_classes  # noqa: PLR2004 - two classes share one boundary
    fitted.numbers("coef_", (rows, n_features))
    fitted.numbers("intercept_", (rows,))


def _check_linear_regression(fitted: FittedAttributes, n_features: int) -> None:
    fitted.numbers("coef_", (n_features,))
    fitted.number("intercept_")


def _check_naive_bayes(fitted: FittedAttributes, n_features: int) -> None:
    n_classes = fitted.classes()
    fitted.numbers("theta_", (n_classes, n_features))
    if (fitted.numbers("var_", (n_classes, n_features)) <= 0).any():
        raise fitted.fault("whose var_ is not above 0")
    fitted.numbers("class_prior_", (n_classes,))


def _check_network(fitted: FittedAttributes, n_features: int) -> int:
    """Check the layers of a network; return how wide its output is."""
    weights, biases = fitted.arrays("coefs_"), fitted.arrays("intercepts_")
    fitted.whole("n_layers_", len(weights) + 1, len(weights) + 1)
    fitted.choice("activation", _ACTIVATIONS)
    fitted.choice("out_activation_", _OUTPUT_ACTIVATIONS)
    if len(biases) != len(weights):
        raise fitted.fault("whose coefs_ and intercepts_ differ in length")
    width = n_features
    for matrix, bias in zip(weights, biases, strict=True):
        if matrix.ndim != 2 or len(matrix) != width or bias.shape != matrix.shape[1:]:  # noqa: PLR2004 - in and out
            raise fitted.fault("whose coefs_ do not fit each other")
        if not (np.isfinite(matrix).all() and np.isfinite(bias).all()):
            raise fitted.fault("whose coefs_ are not finite")
        width = matrix.shape[1]
    fitted.whole("n_outputs_", width, width)
    return width


def _check_network_classifier(fitted: FittedAttributes, n_features: int) -> None:
    n_classes = fitted.classes()
    width = 1 if n_classes == 2 else n_classes  # noqa: PLR2004 - two classes share one output
    if _check_network(fitted, n_features) != width:
        raise fitted.fault("whose output contradicts its classes_")
    labels = FittedAttributes(fitted.get("_label_binarizer"))
    if labels.classes() != n_classes:
        raise fitted.fault("whose labels contradict its classes_")


def _check_network_regressor(fitted: FittedAttributes, n_features: int) -> None:
    if _check_network(fitted, n_features) != 1:
        raise fitted.fault("with more than one output")


MODEL_CHECKS: Final[Mapping[str, Callable[[FittedAttributes, int], None]]] = MappingProxyType(
    {
        "sklearn.cluster._kmeans.KMeans": _check_k_means,
        "sklearn.cluster._kmeans.MiniBatchKMeans": _check_k_means,
        "sklearn.covariance._elliptic_envelope.EllipticEnvelope": _check_elliptic_envelope,
        "sklearn.linear_model._base.LinearRegression": _check_linear_regression,
        "sklearn.linear_model._logistic.LogisticRegression": _check_logistic_regression,
        "sklearn.linear_model._ridge.Ridge": _check_linear_regression,
        "sklearn.linear_model._stochastic_gradient.SGDOneClassSVM": _check_sgd_one_class,
        "sklearn.naive_bayes.GaussianNB": _check_naive_bayes,
        "sklearn.neural_network._multilayer_perceptron.MLPClassifier": _check_network_classifier,
        "sklearn.neural_network._multilayer_perceptron.MLPRegressor": _check_network_regressor,
        "sklearn.svm._classes.OneClassSVM": _check_one_class_svm,
    }
)
