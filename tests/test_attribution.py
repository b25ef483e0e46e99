"""Tests of scoring.attribution: an anomaly is laid at the door of what caused it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.artifacts import load_bare, load_published
from scoring.attribution import causes, worst_rows
from scoring.features import FloatArray
from scoring.thresholds import is_anomaly
from tests.small_models import CENTRE, FEATURES, small_model

MEDIANS = np.array(CENTRE)
# Ten standard deviations and more, in each feature's own unit.
FAR = (15.0, 1.5, 8.0)


def distance(X: FloatArray) -> FloatArray:
    """Score by hand: the sum of what each feature is off, the second twice."""
    return np.asarray(np.abs(X - MEDIANS) @ [1.0, 2.0, 1.0])


@pytest.mark.parametrize("column", range(3), ids=FEATURES)
@pytest.mark.parametrize(
    ("model", "scaler"),
    [
        ("isolation_forest", "none"),
        ("isolation_forest", "standard"),
        ("one_class_svm", "standard"),
        ("local_outlier_factor", "robust"),
        ("k_means", "standard"),
        ("elliptic_envelope", "none"),
    ],
)
def test_what_one_feature_did_is_attributed_to_it(model: str, scaler: str, column: int) -> None:
    """For every family: the feature that is off comes first, with the largest share."""
    artifact = small_model(model=model, scaler=scaler)
    ready = load_published(artifact.data, artifact.manifest, trusted=frozenset(), feature_keys=None)
    row = MEDIANS.copy()
    row[column] += FAR[column]
    assert ready.medians is not None
    found = is_anomaly(ready.score(row[None, :]), ready.threshold, ready.rule)
    assert found is not None
    assert found.all()
    (cause,) = causes(ready.score, row[None, :], ready.rule, ready.medians, FEATURES)
    assert cause[0].feature == FEATURES[column]
    assert cause[0].share > 0.5


def test_shares_are_what_putting_each_feature_back_would_change() -> None:
    """By hand: off by 1 in the first and by 1 in the second, which counts twice."""
    row = MEDIANS + np.array([1.0, 1.0, 0.0])
    ((first, second),) = causes(distance, row[None, :], "above", MEDIANS, FEATURES)
    assert (first.feature, second.feature) == (FEATURES[1], FEATURES[0])
    assert [first.share, second.share] == pytest.approx([2 / 3, 1 / 3])


def test_the_sign_follows_the_rule() -> None:
    """Where low scores are anomalous, what would raise the score is the cause."""
    row = MEDIANS + np.array([0.0, 0.0, 3.0])
    ((only,),) = causes(lambda X: -distance(X), row[None, :], "below", MEDIANS, FEATURES)
    assert (only.feature, only.share) == (FEATURES[2], 1.0)


def test_a_row_that_no_feature_explains_has_no_cause() -> None:
    """Nothing is divided by zero."""
    assert causes(distance, MEDIANS[None, :], "above", MEDIANS, FEATURES) == [()]
    assert causes(distance, np.empty((0, 3)), "above", MEDIANS, FEATURES) == []


def test_at_most_three_features_are_named() -> None:
    """The largest shares, the largest first."""
    names = [f"f{number}" for number in range(6)]
    row = np.arange(6.0)[None, :]
    (cause,) = causes(lambda X: X.sum(axis=1), row, "above", np.zeros(6), names)
    assert [share.feature for share in cause] == ["f5", "f4", "f3"]


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3), min_size=1, max_size=5))
def test_shares_are_parts_of_one(rows: list[list[float]]) -> None:
    """Each above 0, falling, together at most 1."""
    for cause in causes(distance, np.array(rows), "above", MEDIANS, FEATURES):
        shares = [share.share for share in cause]
        assert all(share > 0 for share in shares)
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) <= 1 + 1e-9


def test_rows_are_explained_alike_alone_and_together() -> None:
    """All rows go through the model in one call, without mixing."""
    rows = MEDIANS + np.array([[5.0, 0, 0], [0, 1.0, 2.0], [0, 0, 0]])
    together = causes(distance, rows, "above", MEDIANS, FEATURES)
    alone = [causes(distance, row[None, :], "above", MEDIANS, FEATURES)[0] for row in rows]
    assert together == alone


def chosen(anomalous: list[int], severity: list[float], sensors: str, most: int) -> list[int]:
    """Return which rows are explained."""
    flags = np.array(anomalous, np.bool_)
    return [int(row) for row in worst_rows(flags, np.array(severity), list(sensors), most)]


def test_few_anomalies_are_all_explained() -> None:
    """In the order of the readings; the others never."""
    assert chosen([0, 1, 0, 1], [9.0, 1.0, 9.0, 2.0], "aaaa", 2) == [1, 3]
    assert chosen([0, 0], [1.0, 2.0], "ab", 5) == []


def test_of_many_the_worst_are_explained() -> None:
    """Of one sensor exactly as many as the setting says."""
    assert chosen([1, 1, 1, 1], [1.0, 4.0, 2.0, 3.0], "aaaa", 2) == [1, 3]


def test_every_sensors_worst_one_is_explained() -> None:
    """A storm at one sensor does not hide what happened at another."""
    assert chosen([1] * 6, [9.0, 8.0, 7.0, 1.0, 2.0, 0.5], "aaabbc", 2) == [0, 1, 4, 5]


def test_zero_explains_nothing() -> None:
    """The setting switches the whole thing off."""
    assert chosen([1, 1], [1.0, 2.0], "ab", 0) == []


@given(
    st.lists(
        st.tuples(st.booleans(), st.floats(-5, 5), st.sampled_from("abc")), min_size=1, max_size=30
    ),
    st.integers(0, 10),
)
def test_only_anomalies_are_chosen_and_enough_of_them(
    rows: list[tuple[bool, float, str]], most: int
) -> None:
    """Never a normal reading; as many as asked, and one a sensor beyond that."""
    flags, severity, sensors = map(list, zip(*rows, strict=True))
    found = worst_rows(np.array(flags), np.array(severity), sensors, most)
    anomalies = sum(flags)
    assert all(flags[row] for row in found)
    assert min(most, anomalies) <= len(found)
    assert len(found) <= (most + len(set(sensors)) if most else 0)


def test_a_scaler_alone_gives_medians_to_a_bare_artifact() -> None:
    """Causes come with a bare file too where its scaler remembers a centre."""
    import io

    import joblib

    artifact = small_model(scaler="robust")
    ready = load_published(artifact.data, artifact.manifest, trusted=frozenset(), feature_keys=None)
    file = io.BytesIO()
    joblib.dump({"pipeline": ready.estimator}, file)
    bare = load_bare(file.getvalue(), "m", name="m", trusted=frozenset(), feature_keys=None)
    assert bare.medians is not None
    assert bare.medians == pytest.approx(ready.medians)
