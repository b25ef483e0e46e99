"""Tests of scoring.thresholds: what is an anomaly, and how severe it is."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scoring.features import FloatArray
from scoring.thresholds import Calibration, Rule, anomaly_scores, calibrate, is_anomaly

RULES: tuple[Rule, ...] = ("below", "above", "from")
finite = st.floats(-1e6, 1e6)
many = st.lists(finite, min_size=1, max_size=60)
# few different values, so that ties are the rule
tied = st.lists(st.integers(0, 5).map(float), min_size=1, max_size=60)


def naive_share(training: list[float], value: float) -> float:
    """Count the training readings that were less anomalous, the slow way."""
    return sum(one < value for one in training) / len(training)


def scores(training: list[float], values: list[float]) -> FloatArray:
    """Calibrate and score in one go."""
    return anomaly_scores(calibrate(np.array(training)), np.array(values))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("below", [True, False, False]),
        ("above", [False, False, True]),
        ("from", [False, True, True]),
    ],
)
def test_a_rule_says_on_which_side_anomalies_lie(rule: Rule, expected: list[bool]) -> None:
    """Below and above leave the threshold itself out, from takes it in."""
    found = is_anomaly(np.array([-0.5, 0.25, 0.5]), 0.25, rule)
    assert found is not None
    assert found.tolist() == expected


@pytest.mark.parametrize("rule", RULES)
def test_without_a_threshold_nothing_is_decided(rule: Rule) -> None:
    """None is not False: nobody has said what an anomaly is."""
    assert is_anomaly(np.array([1.0]), None, rule) is None


@given(many, finite, finite)
def test_a_stricter_threshold_never_adds_anomalies(values: list[float], a: float, b: float) -> None:
    """Raising it where anomalies lie above, lowering it where they lie below."""
    low, high = sorted((a, b))
    score = np.array(values)
    for rule in RULES:
        loose, strict = (low, high) if rule != "below" else (high, low)
        more, fewer = is_anomaly(score, loose, rule), is_anomaly(score, strict, rule)
        assert more is not None
        assert fewer is not None
        assert not (fewer & ~more).any()


@given(tied, st.integers(-1, 6))
def test_a_score_is_the_share_of_training_readings_below_it(
    training: list[float], value: int
) -> None:
    """Exactly, for the training readings' own values, however many are equal."""
    assume(value <= max(training))
    (found,) = scores(training, [float(value)])
    if value in training:
        assert found == pytest.approx(naive_share(training, value), abs=1e-12)
    else:
        before = max((one for one in training if one < value), default=None)
        least = 0.0 if before is None else naive_share(training, before)
        assert least - 1e-12 <= found <= naive_share(training, value) + 1e-12


@given(tied)
def test_just_above_equal_readings_a_score_counts_them_all(training: list[float]) -> None:
    """A block of equal readings is passed at once, up to one reading."""
    top = max(training)
    for value in {one for one in training if one < top}:
        (found,) = scores(training, [float(np.nextafter(value, np.inf))])
        passed = sum(one <= value for one in training)
        assert found >= (passed - 1) / len(training) - 1e-9


@given(st.one_of(many, tied), many)
def test_scores_never_fall_as_readings_get_worse(
    training: list[float], values: list[float]
) -> None:
    """And they stay in [0, 1], whatever the training readings."""
    found = scores(training, sorted(values))
    assert (found >= 0).all()
    assert (found <= 1).all()
    assert (np.diff(found) >= -1e-12).all()


@given(st.one_of(many, tied), many, st.randoms(use_true_random=False))
def test_the_order_of_rows_has_no_effect(
    training: list[float], values: list[float], random: object
) -> None:
    """Neither that of the training readings nor that of the scored ones."""
    shuffled = training.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # a Random
    assert scores(shuffled, values).tolist() == pytest.approx(scores(training, values).tolist())
    assert scores(training, values[::-1]).tolist() == scores(training, values).tolist()[::-1]


def test_scores_go_on_rising_beyond_the_worst_training_reading() -> None:
    """From (n - 1) / n towards 1, so that bad and very bad can be told apart."""
    training = np.random.default_rng(1).exponential(size=1_000)
    worst = float(training.max())
    found = anomaly_scores(calibrate(training), worst + np.array([0.0, 1e-9, 0.5, 1.0, 2.0, 5.0]))
    assert found[0] == pytest.approx(0.999)
    assert (np.diff(found) > 0).all()
    assert found[-1] < 1


def test_the_tail_is_the_fitted_exponential() -> None:
    """One mean excess of the worst 5 % leaves 1/e of what is left."""
    calibration = Calibration(np.array([0.0, 1.0]), tail_scale=2.0, n_readings=100)
    (found,) = anomaly_scores(calibration, np.array([1.0 + 2.0]))
    assert found == pytest.approx(1 - np.exp(-1) / 100)


def test_the_tail_scale_is_the_mean_excess_of_the_worst_twentieth() -> None:
    """By hand for 0, 1, … 100: the 95 % quantile is 95, the excesses are 1 to 5."""
    calibration = calibrate(np.arange(101.0))
    assert calibration.tail_scale == pytest.approx(3.0)
    assert calibration.n_readings == 101


def test_equal_training_readings_tell_better_same_and_worse() -> None:
    """Nothing is divided by zero; worse than all of them is 1."""
    assert scores([3.0] * 10, [2.0, 3.0, 4.0]).tolist() == [0.0, 0.0, 1.0]


def test_one_training_reading_is_enough() -> None:
    """The smallest calibration there can be."""
    assert scores([3.0], [2.0, 3.0, 4.0]).tolist() == [0.0, 0.0, 1.0]


def test_extreme_readings_stay_in_range() -> None:
    """Neither the largest floats nor infinity give a warning or leave [0, 1]."""
    found = scores([1e-300, 2e-300, 3e-300], [-np.inf, -1.7e308, 1.7e308, np.inf])
    assert found.tolist() == [0.0, 0.0, 1.0, 1.0]


def test_many_training_readings_are_condensed() -> None:
    """A manifest stays small, and a share is right to about a thousandth."""
    training = np.random.default_rng(2).normal(size=50_000)
    calibration = calibrate(training)
    assert len(calibration.points) == 2_001
    values = np.linspace(-3, 3, 101)
    exact = np.array([(training < value).mean() for value in values])
    assert np.abs(anomaly_scores(calibration, values) - exact).max() < 0.001


def test_no_rows_give_no_scores() -> None:
    """A batch may hold nothing to score."""
    assert scores([1.0, 2.0], []).shape == (0,)
