"""Tests of scoring.distributions: bins against the numbers that went into them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.distributions import (
    N_LAG_BINS,
    lag_bins,
    lag_quantile_s,
    score_bins,
    stability_index,
)

DAY_MS = 86_400_000.0


@given(st.lists(st.floats(1.0, 90 * DAY_MS), min_size=1, max_size=200), st.floats(0.01, 1.0))
def test_a_quantile_is_that_of_the_sorted_numbers_to_a_twentieth(
    lag_ms: list[float], quantile: float
) -> None:
    """From one millisecond to ninety days."""
    exact = np.quantile(lag_ms, quantile, method="inverted_cdf") / 1e3
    found = lag_quantile_s(lag_bins(lag_ms), quantile)
    assert found == pytest.approx(exact, rel=0.0443)


def test_lags_out_of_range_are_counted_at_its_ends() -> None:
    """Clocks may disagree, and may be wrong."""
    bins = lag_bins([-5.0, 0.0, 1e15])
    assert (bins[0], bins[N_LAG_BINS - 1], bins.sum()) == (2, 1, 3)


def test_nothing_has_no_quantile() -> None:
    """Rather than a zero that looks like a perfect lag."""
    assert lag_quantile_s(np.zeros(N_LAG_BINS, np.int64), 0.5) is None


def test_scores_fall_into_ten_bins() -> None:
    """Both ends belong to them."""
    assert score_bins(np.array([0.0, 0.05, 0.1, 0.95, 1.0])).tolist() == [2, 1, *[0] * 7, 2]


def test_uniform_scores_have_not_drifted() -> None:
    """By chance alone the index is about 9 / n."""
    bins = score_bins(np.random.default_rng(0).random(10_000))
    assert stability_index(bins) < 0.003
    assert stability_index(np.full(10, 7)) == pytest.approx(0.0)


def test_the_index_is_the_sum_over_the_bins() -> None:
    """Held against a slow, obvious twin."""
    bins = np.array([30, 20, 10, 10, 10, 5, 5, 5, 3, 2])
    shares = [n / 100 for n in bins]
    expected = sum((p - 0.1) * np.log(p / 0.1) for p in shares)
    assert stability_index(bins) == pytest.approx(expected)


def test_scores_that_crowd_at_one_end_have_drifted() -> None:
    """Far beyond the quarter at which a new model is due; and it stays finite."""
    index = stability_index(score_bins(np.full(1_000, 0.99)))
    assert 1 < index < 20
