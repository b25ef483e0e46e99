"""Tests of scoring.telemetry_log: each kind of failure once an hour."""

import logging

import pytest

from scoring.telemetry_log import OnceAnHour, calm_the_libraries


class Clock:
    """Monotonic seconds that are moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def test_a_kind_is_told_once_an_hour(caplog: pytest.LogCaptureFixture) -> None:
    """Its figures may differ; another kind is told at once; an hour later it is told again."""
    clock = Clock()
    logger = logging.getLogger("some.exporter")
    logger.propagate = False
    logger.addHandler(OnceAnHour(clock=clock))
    for minute in range(59):
        clock.now = 60.0 * minute
        logger.warning("failed after %d s", minute)
        logger.info("never told")
    logger.error("refused")
    clock.now = 3_600.0
    logger.warning("failed after %d s", 60)
    told = [record.getMessage().split(": ")[1] for record in caplog.records]
    assert told == ["failed after 0 s", "refused", "failed after 60 s"]


def test_the_libraries_reach_the_log_in_no_other_way() -> None:
    """However often they are calmed, there is one handler."""
    for _ in range(2):
        calm_the_libraries()
    for name in ("opentelemetry", "azure.monitor.opentelemetry", "azure.identity"):
        logger = logging.getLogger(name)
        assert not logger.propagate
        assert sum(isinstance(one, OnceAnHour) for one in logger.handlers) == 1


def test_a_token_that_fails_each_time_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """An identity that is wrong is asked for with every export and every write."""
    calm_the_libraries()
    logger = logging.getLogger("azure.identity.of_this_test")  # a kind that no other test told
    for number in range(3):
        logger.warning("%s failed: %s", "ManagedIdentityCredential.get_token", number)
    own = (one for one in caplog.records if one.name == "scoring.telemetry_log")
    (said,) = (record.getMessage() for record in own)
    expected = "no token for this app's identity: ManagedIdentityCredential.get_token failed: 0"
    assert said == expected
