"""Tests of local.retry and local.timespan."""

from random import Random

import pytest

from local.retry import RetryPolicy
from local.timespan import parse_timespan
from scoring.errors import SettingsError


def policy(**changes: str | None) -> RetryPolicy:
    """Return the policy of `score_events` with changes."""
    settings = {
        "strategy": "exponential_backoff",
        "max_retry_count": "-1",
        "minimum_interval": "00:00:01",
        "maximum_interval": "00:01:00",
    }
    return RetryPolicy.from_settings(settings | changes, used_by="score_events")


def test_exponential_delays_double_up_to_the_maximum() -> None:
    """The first is the minimum; then the step doubles, a fifth more or less."""
    delays = [policy().delay_s(retries, Random(1)) for retries in range(9)]
    assert delays[0] == 1
    assert all(1 + 0.8 * 2**i <= delay <= 1 + 1.2 * 2**i for i, delay in enumerate(delays[1:6]))
    assert delays[8] == 60


def test_delays_stay_finite_after_many_retries() -> None:
    """For ever is longer than floats can double."""
    assert policy().delay_s(10_000, Random(1)) == 60


def test_a_fixed_delay_stays_the_same() -> None:
    """It needs delay_interval only."""
    fixed = policy(strategy="fixed_delay", delay_interval="00:00:10")
    assert [fixed.delay_s(retries, Random(1)) for retries in range(3)] == [10, 10, 10]


@pytest.mark.parametrize(
    ("count", "allowed"),
    [("0", [False, False, False]), ("2", [True, True, False]), ("-1", [True] * 3)],
    ids=["none", "two", "for ever"],
)
def test_the_count_limits_retries(count: str, allowed: list[bool]) -> None:
    """-1 is for ever."""
    assert [policy(max_retry_count=count).allows(retries) for retries in range(3)] == allowed


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"strategy": "sometimes"}, "fixed_delay or exponential_backoff"),
        ({"max_retry_count": "many"}, "max_retry_count 'many'"),
        ({"max_retry_count": "-2"}, "max_retry_count '-2'"),
        ({"minimum_interval": None}, "needs minimum_interval"),
        ({"maximum_interval": "1 min"}, "hh:mm:ss"),
    ],
    ids=["strategy", "text", "negative", "missing", "interval"],
)
def test_a_bad_policy_is_refused(changes: dict[str, str | None], message: str) -> None:
    """The message names the function and what to write."""
    with pytest.raises(SettingsError, match=message) as caught:
        policy(**changes)
    assert "score_events" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("00:00:30", 30), ("01:00:00", 3_600), ("1.12:00:00", 129_600), ("00:00:00.05", 0.05)],
)
def test_time_spans_are_read_as_the_host_does(text: str, seconds: float) -> None:
    """Days and fractions are optional."""
    assert parse_timespan(text, used_by="f") == seconds
