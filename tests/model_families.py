"""One fitted model of each family that a model file may hold."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.covariance import EllipticEnvelope
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDOneClassSVM
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor, LocalOutlierFactor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import OneClassSVM
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)

N_FEATURES = 3
NAMES = ("temperature", "humidity", "noise")

_random = np.random.default_rng(7)
X_TRAIN = _random.normal(size=(120, N_FEATURES))
Y_TRAIN = (X_TRAIN[:, 0] > 0).astype(int)
X_NEW = _random.normal(size=(40, N_FEATURES))

_METHODS = ("score_samples", "decision_function", "predict_proba", "predict", "transform")
_SEED = np.random.RandomState(3)  # as an object, it is stored in the file

FAMILIES: dict[str, Callable[[], Any]] = {
    "isolation forest": lambda: IsolationForest(n_estimators=5, random_state=_SEED),
    "isolation forest on two features": lambda: IsolationForest(
        n_estimators=5, max_features=2, random_state=1
    ),
    "one-class SVM": lambda: OneClassSVM(nu=0.1),
    "one-class SVM, linear": lambda: OneClassSVM(kernel="linear", nu=0.1),
    "SGD one-class SVM": lambda: SGDOneClassSVM(random_state=1),
    "LOF": lambda: LocalOutlierFactor(novelty=True),
    "LOF, ball tree": lambda: LocalOutlierFactor(novelty=True, algorithm="ball_tree", leaf_size=7),
    "LOF, brute force": lambda: LocalOutlierFactor(novelty=True, algorithm="brute"),
    "LOF, Minkowski": lambda: LocalOutlierFactor(novelty=True, p=3),
    "LOF, Mahalanobis": lambda: LocalOutlierFactor(
        novelty=True, metric="mahalanobis", metric_params={"VI": np.diag([1.0, 2.0, 3.0])}
    ),
    "elliptic envelope": lambda: EllipticEnvelope(random_state=1),
    "k-means": lambda: KMeans(3, random_state=1),
    "mini-batch k-means": lambda: MiniBatchKMeans(3, random_state=1),
    "random forest": lambda: RandomForestClassifier(5, random_state=1),
    "random forest of best-first trees": lambda: RandomForestClassifier(
        5, max_leaf_nodes=9, ccp_alpha=0.01, random_state=1
    ),
    "extra trees": lambda: ExtraTreesClassifier(5, random_state=1),
    "decision tree": lambda: DecisionTreeClassifier(random_state=1),
    "extra tree": lambda: ExtraTreeClassifier(random_state=1),
    "logistic regression": LogisticRegression,
    "naive Bayes": GaussianNB,
    "neural classifier": lambda: MLPClassifier(hidden_layer_sizes=(4,), max_iter=20),
    "neural classifier, SGD": lambda: MLPClassifier(
        hidden_layer_sizes=(4,), max_iter=20, solver="sgd", early_stopping=True
    ),
    "nearest neighbours": KNeighborsClassifier,
    "nearest neighbours, brute force": lambda: KNeighborsClassifier(algorithm="brute"),
    "random forest regressor": lambda: RandomForestRegressor(5, random_state=1),
    "extra trees regressor": lambda: ExtraTreesRegressor(5, random_state=1),
    "decision tree regressor": lambda: DecisionTreeRegressor(random_state=1),
    "extra tree regressor": lambda: ExtraTreeRegressor(random_state=1),
    "linear regression": LinearRegression,
    "ridge": Ridge,
    "nearest neighbours regressor": KNeighborsRegressor,
    "neural regressor": lambda: MLPRegressor(hidden_layer_sizes=(4,), max_iter=20),
    "standard scaler": StandardScaler,
    "min-max scaler": MinMaxScaler,
    "max-abs scaler": MaxAbsScaler,
    "robust scaler": RobustScaler,
    "quantile transformer": lambda: QuantileTransformer(n_quantiles=20),
    "power transformer": PowerTransformer,
    "PCA": lambda: PCA(2),
    "imputer": SimpleImputer,
    "pipeline": lambda: make_pipeline(
        SimpleImputer(), StandardScaler(), PCA(2), IsolationForest(n_estimators=5, random_state=1)
    ),
}


def fitted(family: str) -> Any:
    """Fit one family's model, with feature names as a data frame would have left them."""
    model = FAMILIES[family]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # twenty iterations do not converge
        model.fit(X_TRAIN, Y_TRAIN)
    first = model[0] if hasattr(model, "steps") else model
    first.feature_names_in_ = np.array(NAMES, dtype=object)
    return model


def outputs(model: Any, X: np.ndarray = X_NEW) -> list[np.ndarray]:
    """Return everything that the model says about rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rows without feature names
        return [np.asarray(getattr(model, name)(X)) for name in _METHODS if hasattr(model, name)]
