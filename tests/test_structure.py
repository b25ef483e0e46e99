"""Structure of a model before its first use."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from scoring.errors import ArtifactRejectedError
from scoring.model_files import open_model_file
from scoring.structure import check_structure
from tests.attacks import as_joblib
from tests.model_families import FAMILIES, X_TRAIN, fitted

NAN = float("nan")


def _refusal(model: object) -> ArtifactRejectedError:
    with pytest.raises(ArtifactRejectedError) as refused:
        check_structure(model, artifact="pump/3")
    return refused.value


@pytest.mark.parametrize("family", FAMILIES)
def test_a_fitted_model_of_each_family_passes(family: str) -> None:
    """The checks ask for nothing that scikit-learn does not leave behind."""
    check_structure(fitted(family), artifact="a")


def _nan(value: np.ndarray) -> np.ndarray:
    spoiled = value.astype(float)
    spoiled.flat[0] = NAN
    return spoiled


def _short(value: Any) -> Any:
    return value[:-1].copy() if isinstance(value, np.ndarray) else value[:-1]


def _wide(value: np.ndarray) -> np.ndarray:
    return np.hstack([value, value])


def _to(value: object) -> Callable[[object], object]:
    return lambda _: value


# family, attribute, what happens to it
FAULTS: list[tuple[str, str, Callable[[Any], object]]] = [
    ("isolation forest", "estimators_", _to([])),
    ("isolation forest", "estimators_", _short),
    ("isolation forest", "estimators_", _to([StandardScaler()])),
    ("isolation forest", "estimators_features_", lambda lists: [lists[0] + 1, *lists[1:]]),
    ("isolation forest", "estimators_features_", lambda lists: [lists[0][:1], *lists[1:]]),
    ("isolation forest", "_max_samples", _to(0)),
    ("isolation forest", "_max_samples", _to("many")),
    ("isolation forest", "_max_features", _to(2)),
    ("isolation forest", "offset_", _to(NAN)),
    ("isolation forest", "_average_path_length_per_tree", _short),
    ("isolation forest", "_average_path_length_per_tree", lambda t: (t[0][:-1], *t[1:])),
    ("isolation forest", "_decision_path_lengths", lambda t: (t[0] * NAN, *t[1:])),
    ("isolation forest", "n_features_in_", _to(2)),
    ("isolation forest", "n_features_in_", _to(10**9)),
    ("isolation forest", "feature_names_in_", _short),
    ("isolation forest", "feature_names_in_", _to(np.array([1, 2, 3], dtype=object))),
    ("isolation forest", "n_jobs", _to(10**6)),
    ("one-class SVM", "support_vectors_", _nan),
    ("one-class SVM", "support_vectors_", _short),
    ("one-class SVM", "support_vectors_", _wide),
    ("one-class SVM", "support_vectors_", np.asfortranarray),
    ("one-class SVM", "support_vectors_", lambda value: value.astype(np.float32)),
    ("one-class SVM", "support_", _short),
    ("one-class SVM", "_n_support", lambda value: value + 1000),
    ("one-class SVM", "_n_support", _short),
    ("one-class SVM", "_dual_coef_", _wide),
    ("one-class SVM", "_dual_coef_", _nan),
    ("one-class SVM", "_intercept_", lambda value: value[:0]),
    ("one-class SVM", "_probA", _to(np.zeros(9))),
    ("one-class SVM", "_gamma", _to("scale")),
    ("one-class SVM", "_sparse", _to(value=True)),
    ("one-class SVM", "kernel", _to("precomputed")),
    ("one-class SVM", "kernel", _to(np.dot)),
    ("one-class SVM", "degree", _to(10**9)),
    ("SGD one-class SVM", "coef_", _short),
    ("SGD one-class SVM", "offset_", _nan),
    ("LOF", "_fit_X", _nan),
    ("LOF", "_fit_X", _wide),
    ("LOF", "_fit_X", _short),
    ("LOF", "n_samples_fit_", _to(10**6)),
    ("LOF", "n_neighbors_", _to(10**6)),
    ("LOF", "_lrd", _short),
    ("LOF", "_lrd", _nan),
    ("LOF", "_distances_fit_X_", _short),
    ("LOF", "offset_", _to(None)),
    ("LOF", "effective_metric_", _to(np.dot)),
    ("LOF", "metric", _to("precomputed")),
    ("LOF", "_tree", _to(None)),
    ("LOF", "_fit_method", _to("guess")),
    ("LOF, Mahalanobis", "effective_metric_params_", _to({"VI": np.eye(2)})),
    ("LOF, Mahalanobis", "effective_metric_params_", _to({"VI": np.eye(3) * NAN})),
    ("LOF, Mahalanobis", "effective_metric_params_", _to({"func": np.dot})),
    ("elliptic envelope", "precision_", _short),
    ("elliptic envelope", "location_", _nan),
    ("elliptic envelope", "covariance_", _wide),
    ("k-means", "cluster_centers_", _nan),
    ("k-means", "cluster_centers_", _short),
    ("k-means", "cluster_centers_", _wide),
    ("k-means", "_n_threads", _to(10**6)),
    ("mini-batch k-means", "_n_threads", _to(0)),
    ("random forest", "classes_", _short),
    ("random forest", "classes_", _to(np.array([0, 1, 2]))),
    ("random forest", "n_classes_", _to(3)),
    ("random forest", "n_outputs_", _to(2)),
    ("random forest regressor", "estimators_", _to(None)),
    ("decision tree", "classes_", _to(np.array([0, 1, 2]))),
    ("decision tree", "tree_", _to(None)),
    ("logistic regression", "coef_", _wide),
    ("logistic regression", "coef_", _nan),
    ("logistic regression", "intercept_", _to(np.zeros(9))),
    ("naive Bayes", "theta_", _nan),
    ("naive Bayes", "var_", lambda value: value * 0),
    ("naive Bayes", "class_prior_", _short),
    ("neural classifier", "coefs_", _short),
    ("neural classifier", "coefs_", lambda value: [_wide(value[0]), value[1]]),
    ("neural classifier", "intercepts_", lambda value: [_nan(value[0]), value[1]]),
    ("neural classifier", "activation", _to("exec")),
    ("neural classifier", "n_layers_", _to(10**9)),
    ("neural regressor", "out_activation_", _to(None)),
    ("nearest neighbours, brute force", "_y", lambda value: value + 10**6),
    ("nearest neighbours, brute force", "_y", lambda value: value - 5),
    ("nearest neighbours", "_y", _short),
    ("nearest neighbours", "n_neighbors", _to(10**6)),
    ("nearest neighbours", "weights", _to(np.dot)),
    ("nearest neighbours regressor", "_y", _nan),
    ("linear regression", "coef_", _nan),
    ("ridge", "intercept_", _to(NAN)),
    ("standard scaler", "mean_", _nan),
    ("standard scaler", "mean_", _short),
    ("standard scaler", "scale_", lambda value: value * 0),
    ("min-max scaler", "min_", _short),
    ("max-abs scaler", "scale_", _nan),
    ("robust scaler", "center_", _nan),
    ("quantile transformer", "quantiles_", _wide),
    ("quantile transformer", "references_", _nan),
    ("power transformer", "lambdas_", _nan),
    ("power transformer", "_scaler", _to(None)),
    ("PCA", "components_", _wide),
    ("PCA", "mean_", _nan),
    ("imputer", "statistics_", _short),
    ("imputer", "statistics_", lambda value: value * np.inf),
    ("pipeline", "steps", _to([])),
    ("pipeline", "steps", lambda steps: [steps[-1], *steps]),
    ("pipeline", "steps", lambda steps: [steps[0], ("a", 7)]),
]


@pytest.mark.parametrize(
    ("family", "attribute", "spoil"),
    FAULTS,
    ids=[f"{family}: {name} {number}" for number, (family, name, _) in enumerate(FAULTS)],
)
def test_a_spoiled_attribute_is_refused_by_its_class(
    family: str, attribute: str, spoil: Callable[[Any], object]
) -> None:
    """Compiled code reads memory by these; the others give wrong scores without a word."""
    model = fitted(family)
    setattr(model, attribute, spoil(getattr(model, attribute)))
    refusal = _refusal(model)
    assert refusal.artifact == "pump/3"
    assert refusal.found.startswith("holds ")
    assert refusal.remedy


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_that_was_never_fitted_is_refused(family: str) -> None:
    """Also one that another version left without an attribute ends here, not in a batch."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "without n_features_in_" in _refusal(FAMILIES[family]()).found


def test_an_attribute_that_hides_a_method_is_refused() -> None:
    """What it holds would be called with readings."""
    model = fitted("isolation forest")
    model.decision_function = "anything"
    assert "decision_function hides" in _refusal(model).found


def test_hidden_methods_are_found_at_any_depth() -> None:
    """A tree of a forest of a pipeline in a dict is reached."""
    model = fitted("pipeline")
    model[-1].estimators_[0].apply = "anything"
    assert "apply hides" in _refusal({"pipeline": model}).found


def test_a_pipeline_whose_steps_do_not_fit_is_refused() -> None:
    """What one step puts out is what the next takes in."""
    narrow = IsolationForest(n_estimators=2, random_state=1).fit(X_TRAIN[:, :2])
    model = Pipeline([("scale", StandardScaler().fit(X_TRAIN)), ("score", narrow)])
    assert "takes 2 columns where the step before puts out 3" in _refusal(model).found


def test_a_column_that_was_always_missing_is_counted_as_dropped() -> None:
    """A SimpleImputer drops it, so the next step takes one column less."""
    model = fitted("pipeline")
    model[0].statistics_[1] = NAN
    assert "takes 3 columns where the step before puts out 2" in _refusal(model).found


def test_pipelines_within_pipelines_are_checked() -> None:
    """Their last step is as much in use as any other."""
    inner = make_pipeline(fitted("standard scaler"), fitted("PCA"))
    inner[0].mean_ = _nan(inner[0].mean_)
    assert "mean_ is not finite" in _refusal(make_pipeline(inner, "passthrough")).found


def test_a_pipeline_that_holds_itself_is_refused() -> None:
    """A cycle ends as a refusal."""
    model = fitted("pipeline")
    model.steps.insert(0, ("itself", model))
    assert "pipelines within" in _refusal(model).found


def test_the_other_parts_of_a_dict_are_checked() -> None:
    """A scaler beside the model is used too."""
    scaler = fitted("standard scaler")
    scaler.scale_ = scaler.scale_ * 0
    assert "scale_ holds a 0" in _refusal({"model": fitted("k-means"), "scaler": scaler}).found


def test_nan_as_a_parameter_is_fine() -> None:
    """A SimpleImputer takes NaN as what to replace."""
    model = fitted("imputer")
    assert np.isnan(model.missing_values)
    check_structure(model, artifact="a")


def test_a_neighbours_tree_is_built_again_with_the_same_leaves() -> None:
    """The estimator's own leaf size and metric make the same tree, whatever the file held."""
    model = fitted("LOF, ball tree")
    loaded = open_model_file(as_joblib(model), artifact="a", kind="joblib")
    for found, expected in zip(loaded._tree.get_arrays(), model._tree.get_arrays(), strict=True):
        assert np.array_equal(np.asarray(found), np.asarray(expected))


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("_fit_X", np.full((9, 3), NAN)),
        ("_fit_X", None),
        ("leaf_size", 0),
        ("leaf_size", "big"),
        ("effective_metric_", "pyfunc"),
        ("effective_metric_", "no such metric"),
        ("effective_metric_params_", {"p": "two"}),
    ],
    ids=str,
)
def test_a_neighbours_tree_that_cannot_be_built_is_refused(attribute: str, value: object) -> None:
    """Building is as careful as the checks that follow it."""
    model = fitted("LOF")
    setattr(model, attribute, value)
    with pytest.raises(ArtifactRejectedError, match="holds"):
        open_model_file(as_joblib(model), artifact="a", kind="joblib")
