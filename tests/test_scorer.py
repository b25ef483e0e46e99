"""Tests of scoring.scorer: each row of the estimator table, as scikit-learn itself scores it."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble import IsolationForest, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    Ridge,
    RidgeClassifier,
    SGDOneClassSVM,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import RobustScaler, StandardScaler
from sklearn.svm import OneClassSVM
from sklearn.tree import DecisionTreeClassifier

from scoring.artifacts import LoadedModel, load_bare
from scoring.errors import ArtifactRejectedError, FeatureMismatchError
from scoring.features import FloatArray
from scoring.scorer import anomalousness, checked, choose_scorer
from scoring.thresholds import Rule, is_anomaly

_random = np.random.default_rng(5)
X_TRAIN = _random.normal(size=(150, 3)) * [1, 10, 100]
X_NEW = _random.normal(size=(80, 3)) * [2, 20, 200]
UNUSUAL = np.abs(X_TRAIN[:, 0]) > 1.2

OwnCall = Callable[[Any, FloatArray], FloatArray]


@dataclass(frozen=True)
class Row:
    """One row of the table: what is fitted, scikit-learn's own call, and the rule."""

    estimator: Any
    own: OwnCall
    rule: Rule
    y: Any = None
    anomaly_class: Any = None
    threshold: float | None = None


def decision(estimator: Any, X: FloatArray) -> FloatArray:
    """Call what outlier detectors are scored by."""
    return np.asarray(estimator.decision_function(X))


def probability(column: int) -> OwnCall:
    """Call what classifiers are scored by."""
    return lambda estimator, X: np.asarray(estimator.predict_proba(X)[:, column])


def prediction(estimator: Any, X: FloatArray) -> FloatArray:
    """Call what everything else is scored by."""
    return np.asarray(estimator.predict(X), np.float64)


def nearest(estimator: Any, X: FloatArray) -> FloatArray:
    """Call what k-means is scored by."""
    distances: FloatArray = np.asarray(estimator.transform(X))
    return np.asarray(distances.min(axis=1))


SIGNS = np.where(UNUSUAL, -1, 1)
ONES = UNUSUAL.astype(int)
WORDS = np.where(UNUSUAL, "bearing", "fine")
ROWS = {
    "LOF": Row(
        LocalOutlierFactor(novelty=True, contamination=0.1),
        lambda estimator, X: estimator.score_samples(X),
        "below",
    ),
    "isolation forest": Row(IsolationForest(n_estimators=20, random_state=1), decision, "below"),
    "isolation forest with contamination": Row(
        IsolationForest(n_estimators=20, contamination=0.1, random_state=1), decision, "below"
    ),
    "one-class SVM": Row(OneClassSVM(nu=0.1), decision, "below"),
    "SGD one-class SVM": Row(SGDOneClassSVM(random_state=1), decision, "below"),
    "elliptic envelope": Row(EllipticEnvelope(random_state=1), decision, "below"),
    "classifier of -1 and 1": Row(
        RandomForestClassifier(9, max_depth=2, random_state=1), probability(0), "from", SIGNS
    ),
    "classifier of 0 and 1": Row(
        DecisionTreeClassifier(max_depth=2, random_state=1), probability(1), "from", ONES
    ),
    "classifier of true and false": Row(GaussianNB(), probability(1), "from", UNUSUAL),
    "classifier of words": Row(KNeighborsClassifier(4), probability(0), "from", WORDS, "bearing"),
    "classifier whose class 0 is the anomaly": Row(
        LogisticRegression(max_iter=10_000), probability(0), "from", ONES, 0
    ),
    "k-means": Row(KMeans(3, n_init=1, random_state=1), nearest, "above", threshold=15.0),
    "mini-batch k-means": Row(
        MiniBatchKMeans(3, n_init=1, random_state=1), nearest, "above", threshold=15.0
    ),
    "linear regression": Row(LinearRegression(), prediction, "above", ONES, threshold=0.3),
    "ridge": Row(Ridge(), prediction, "above", ONES, threshold=0.3),
    "forest regressor": Row(
        RandomForestRegressor(9, random_state=1), prediction, "above", ONES, threshold=0.3
    ),
}


def loaded(content: Any) -> LoadedModel:
    """Send a model through its file, as the app gets it."""
    file = io.BytesIO()
    joblib.dump(content, file)
    return load_bare(
        file.getvalue(), "model.joblib", name="m", trusted=frozenset(), feature_keys=None
    )


def alone(row: Row) -> tuple[LoadedModel, FloatArray]:
    """Use the estimator as it is."""
    row.estimator.fit(X_TRAIN, row.y)
    content: Any = {"model": row.estimator, **_extras(row)} if _extras(row) else row.estimator
    return loaded(content), row.own(row.estimator, X_NEW)


def in_a_pipeline(row: Row) -> tuple[LoadedModel, FloatArray]:
    """Use it as the last step of a pipeline in a dict."""
    pipeline = make_pipeline(StandardScaler(), row.estimator).fit(X_TRAIN, row.y)
    return loaded({"pipeline": pipeline, **_extras(row)}), row.own(pipeline, X_NEW)


def beside_a_scaler(row: Row) -> tuple[LoadedModel, FloatArray]:
    """Use it in a dict, with the scaler that its readings went through."""
    scaler = RobustScaler().fit(X_TRAIN)
    row.estimator.fit(scaler.transform(X_TRAIN), row.y)
    content = {"clf": row.estimator, "scaler": scaler, **_extras(row)}
    return loaded(content), row.own(row.estimator, scaler.transform(X_NEW))


def _extras(row: Row) -> dict[str, Any]:
    extras = {"threshold": row.threshold, "anomaly_class": row.anomaly_class}
    return {key: value for key, value in extras.items() if value is not None}


Wrapped = Callable[[Row], tuple[LoadedModel, FloatArray]]
WAYS: list[Wrapped] = [alone, in_a_pipeline, beside_a_scaler]


@pytest.mark.parametrize("wrap", WAYS, ids=lambda wrap: wrap.__name__)
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_score_is_scikit_learns_own(row: Row, wrap: Wrapped) -> None:
    """To the last bit, through the model file, alone, in a pipeline and beside a scaler."""
    model, own = wrap(row)
    assert np.array_equal(model.score(X_NEW), own)
    assert model.rule == row.rule


def own_decision(name: str, row: Row, own: FloatArray) -> Any:
    """Say by the table's third column which scores are anomalies."""
    if name == "LOF":
        return own < row.estimator.offset_
    if row.rule == "below":
        return own < 0
    return own >= 0.5 if row.threshold is None else own > row.threshold


@pytest.mark.parametrize("wrap", WAYS, ids=lambda wrap: wrap.__name__)
@pytest.mark.parametrize("name", ROWS)
def test_the_rule_decides(name: str, wrap: Wrapped) -> None:
    """Some of the readings are anomalies and some are not, exactly those of the table."""
    row = ROWS[name]
    model, own = wrap(row)
    found = is_anomaly(model.score(X_NEW), model.threshold, model.rule)
    assert found is not None
    assert np.array_equal(found, own_decision(name, row, own))
    if row.threshold is None or wrap is alone:
        assert found.any()
        assert not found.all()


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.rule == "below"])
def test_an_outlier_detector_decides_as_its_predict(name: str) -> None:
    """Scoring agrees with what scikit-learn would have said."""
    model, _ = alone(ROWS[name])
    found = is_anomaly(model.score(X_NEW), model.threshold, model.rule)
    assert found is not None
    assert np.array_equal(found, ROWS[name].estimator.predict(X_NEW) == -1)


@pytest.mark.parametrize(
    "estimator", [KMeans(3, n_init=1, random_state=1), LinearRegression()], ids=["k-means", "ridge"]
)
def test_without_a_threshold_these_decide_nothing(estimator: Any) -> None:
    """A distance or a prediction has no natural cut-off."""
    scorer = choose_scorer(estimator.fit(X_TRAIN, ONES), artifact="m")
    assert scorer.threshold is None


def test_the_publisher_may_say_that_low_predictions_are_anomalies() -> None:
    """Such as a predicted remaining life."""
    scorer = choose_scorer(LinearRegression().fit(X_TRAIN, ONES), artifact="m", rule="below")
    assert scorer.rule == "below"


def test_lof_without_novelty_is_refused_with_the_remedy() -> None:
    """It cannot score new readings at all."""
    estimator = LocalOutlierFactor().fit(X_TRAIN)
    with pytest.raises(ArtifactRejectedError, match=r"novelty=False.*fit it again with novelty=Tr"):
        loaded(estimator)


def test_a_classifier_without_probabilities_is_refused() -> None:
    """There is nothing to put into `score`."""
    estimator = RidgeClassifier().fit(X_TRAIN, ONES)
    with pytest.raises(ArtifactRejectedError, match=r"RidgeClassifier.*without predict_proba"):
        choose_scorer(estimator, artifact="m")


@pytest.mark.parametrize(
    ("y", "anomaly_class"),
    [(WORDS, None), (WORDS, "broken"), (ONES + 2, None), (SIGNS, "bearing")],
    ids=["words", "unknown word", "two and three", "word for numbers"],
)
def test_a_classifier_must_say_which_class_is_the_anomaly(y: Any, anomaly_class: Any) -> None:
    """Unless its classes say so; guessing could turn everything round."""
    estimator = GaussianNB().fit(X_TRAIN, y)
    with pytest.raises(ArtifactRejectedError, match="say which in anomaly_class"):
        choose_scorer(estimator, artifact="m", anomaly_class=anomaly_class)


def test_what_cannot_score_is_refused() -> None:
    """A scaler alone has no score."""
    with pytest.raises(ArtifactRejectedError, match="StandardScaler has no method"):
        choose_scorer(StandardScaler().fit(X_TRAIN), artifact="m")


@pytest.mark.parametrize(("rule", "sign"), [("below", -1), ("above", 1), ("from", 1)])
def test_anomalousness_is_higher_for_worse_readings(rule: Rule, sign: int) -> None:
    """The one place where a sign is turned."""
    assert anomalousness(np.array([2.0, -3.0]), rule).tolist() == [2.0 * sign, -3.0 * sign]


def test_a_matrix_of_another_width_is_refused() -> None:
    """Before an estimator could read past its columns or broadcast them."""
    scorer = choose_scorer(
        IsolationForest(n_estimators=5, random_state=1).fit(X_TRAIN), artifact="m"
    )
    with pytest.raises(FeatureMismatchError, match="3 features, the matrix has 2"):
        checked(scorer, 3)(X_NEW[:, :2])


def test_the_order_of_rows_has_no_effect() -> None:
    """Each reading's score is its own."""
    model, own = alone(ROWS["isolation forest"])
    assert np.array_equal(model.score(X_NEW[::-1]), own[::-1])
