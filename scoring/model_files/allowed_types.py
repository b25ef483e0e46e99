"""The exact names that a model file may hold, each with its reason.

A whole package is no boundary: scikit-learn, NumPy and joblib all hold functions that run
commands or read files. A name stands here only because a fitted estimator of a supported
family is stored with it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# Python classes: made empty, then given their attributes. Their own code is not called with
# anything from the file except BaseEstimator.__setstate__, which compares versions.
_ATTRIBUTE_TYPES: Final = {
    "sklearn.cluster._kmeans.KMeans": "detector: distance to the nearest centre",
    "sklearn.cluster._kmeans.MiniBatchKMeans": "detector: distance to the nearest centre",
    "sklearn.covariance._elliptic_envelope.EllipticEnvelope": "detector: robust covariance",
    "sklearn.decomposition._pca.PCA": "transformer",
    "sklearn.ensemble._forest.ExtraTreesClassifier": "classifier with predict_proba",
    "sklearn.ensemble._forest.ExtraTreesRegressor": "anything with predict",
    "sklearn.ensemble._forest.RandomForestClassifier": "classifier with predict_proba",
    "sklearn.ensemble._forest.RandomForestRegressor": "anything with predict",
    "sklearn.ensemble._iforest.IsolationForest": "detector: isolation forest",
    "sklearn.impute._base.SimpleImputer": "transformer",
    "sklearn.linear_model._base.LinearRegression": "anything with predict",
    "sklearn.linear_model._logistic.LogisticRegression": "classifier with predict_proba",
    "sklearn.linear_model._ridge.Ridge": "anything with predict",
    "sklearn.linear_model._stochastic_gradient.SGDOneClassSVM": "detector: linear one-class SVM",
    "sklearn.naive_bayes.GaussianNB": "classifier with predict_proba",
    "sklearn.neighbors._classification.KNeighborsClassifier": "classifier with predict_proba",
    "sklearn.neighbors._lof.LocalOutlierFactor": "detector: local outlier factor",
    "sklearn.neighbors._regression.KNeighborsRegressor": "anything with predict",
    "sklearn.neural_network._multilayer_perceptron.MLPClassifier": "classifier",
    "sklearn.neural_network._multilayer_perceptron.MLPRegressor": "anything with predict",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer": "left in a fitted MLP",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer": "left in a fitted MLP",
    "sklearn.pipeline.Pipeline": "a scaler before an estimator",
    "sklearn.preprocessing._data.MaxAbsScaler": "transformer",
    "sklearn.preprocessing._data.MinMaxScaler": "transformer",
    "sklearn.preprocessing._data.PowerTransformer": "transformer",
    "sklearn.preprocessing._data.QuantileTransformer": "transformer",
    "sklearn.preprocessing._data.RobustScaler": "transformer",
    "sklearn.preprocessing._data.StandardScaler": "transformer",
    "sklearn.preprocessing._label.LabelBinarizer": "the classes of an MLP classifier",
    "sklearn.svm._classes.OneClassSVM": "detector: one-class SVM",
    "sklearn.tree._classes.DecisionTreeClassifier": "classifier; the trees of a random forest",
    "sklearn.tree._classes.DecisionTreeRegressor": "the trees of a random forest regressor",
    "sklearn.tree._classes.ExtraTreeClassifier": "classifier; the trees of an extra-trees forest",
    "sklearn.tree._classes.ExtraTreeRegressor": "the trees of an isolation forest",
}

# The metric object inside a neighbours tree. None is ever made: the tree is built again.
_METRICS: Final = (
    "BrayCurtisDistance",
    "CanberraDistance",
    "ChebyshevDistance",
    "EuclideanDistance",
    "HammingDistance",
    "HaversineDistance",
    "MahalanobisDistance",
    "ManhattanDistance",
    "MinkowskiDistance",
    "SEuclideanDistance",
)

# Everything else: each is made by a function of building_blocks that checks what it is given,
# never by calling what the name stands for.
_BUILDING_BLOCKS: Final = {
    "_codecs.encode": "bytes in pickle protocols 0 to 2; only latin-1",
    "builtins.bytearray": "array bytes in pickle protocols 0 to 4",
    "builtins.bytes": "empty bytes in pickle protocols 0 to 2",
    "builtins.object": "named by copyreg._reconstructor",
    "builtins.set": "a set in pickle protocols 0 to 3",
    "collections.OrderedDict": "an artifact's dict may be one",
    "copyreg._reconstructor": "makes an empty instance in pickle protocols 0 and 1",
    "joblib.numpy_pickle.NumpyArrayWrapper": "stands before an array's bytes in a joblib file",
    "numpy._core.multiarray._reconstruct": "makes an empty array before its state",
    "numpy._core.multiarray.scalar": "a NumPy number such as offset_",
    "numpy._core.numeric._frombuffer": "an array in pickle protocol 5",
    "numpy.dtype": "the type of an array's items",
    "numpy.ndarray": "named where an array is made",
    "numpy.random._mt19937.MT19937": "the generator in random_state; its state is not used",
    "numpy.random._pickle.__bit_generator_ctor": "makes the generator in random_state",
    "numpy.random._pickle.__randomstate_ctor": "random_state of an estimator",
    "numpy.random.bit_generator.SeedSequence": "the seed of random_state; not used",
    "numpy.random.bit_generator.__pyx_unpickle_SeedSequence": "the seed of random_state; not used",
    "sklearn.linear_model._sgd_fast.Hinge": "the loss in a fitted SGDOneClassSVM",
    "sklearn.metrics._dist_metrics.newObj": "the metric in a neighbours tree; not used",
    "sklearn.neighbors._ball_tree.BallTree": "neighbours tree; built again from its points",
    "sklearn.neighbors._ball_tree.newObj": "makes a BallTree",
    "sklearn.neighbors._kd_tree.KDTree": "neighbours tree; built again from its points",
    "sklearn.neighbors._kd_tree.newObj": "makes a KDTree",
    "sklearn.tree._tree.Tree": "a fitted tree; checked before its state is applied",
} | {
    f"sklearn.metrics._dist_metrics.{metric}64": "the metric in a neighbours tree; not used"
    for metric in _METRICS
}

# The same things under the names of older releases.
_OLDER_NAMES: Final = {
    "numpy.core.multiarray._reconstruct": "numpy._core.multiarray._reconstruct",  # NumPy 1
    "numpy.core.multiarray.scalar": "numpy._core.multiarray.scalar",  # NumPy 1
    "numpy.core.numeric._frombuffer": "numpy._core.numeric._frombuffer",  # NumPy 1
} | {
    # scikit-learn 1.0 to 1.2 had one precision and so no suffix
    f"sklearn.metrics._dist_metrics.{metric}": f"sklearn.metrics._dist_metrics.{metric}64"
    for metric in _METRICS
}

ATTRIBUTE_TYPES: Final[Mapping[str, str]] = MappingProxyType(_ATTRIBUTE_TYPES)
BUILDING_BLOCKS: Final[Mapping[str, str]] = MappingProxyType(_BUILDING_BLOCKS)
OLDER_NAMES: Final[Mapping[str, str]] = MappingProxyType(_OLDER_NAMES)
ALLOWED_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    _ATTRIBUTE_TYPES | _BUILDING_BLOCKS | dict.fromkeys(_OLDER_NAMES, "an older name")
)


def present_name(module: str, name: str) -> str | None:
    """Look up a name from a file.

    Parameters
    ----------
    module, name : str
        As the file has them. A dotted `name` is an attribute of something and never allowed.

    Returns
    -------
    str or None
        Today's full name; None if it is on no list.
    """
    full = f"{module}.{name}"
    if "." in name or full not in ALLOWED_TYPES:
        return None
    return OLDER_NAMES.get(full, full)
