"""Tests of tests.disturbances: whatever the seed, each thing happens often enough."""

import random

import pytest

from tests.disturbances import CUTS, Disturbances, Timeline, plan

SECONDS = 36.0


@pytest.fixture(params=range(20), ids=lambda seed: f"seed-{seed}")
def planned(request: pytest.FixtureRequest) -> Disturbances:
    """Plan a run."""
    return plan(random.Random(request.param), SECONDS, 5)


def spans(timeline: Timeline, first: str, last: str) -> list[tuple[float, float]]:
    """Return from when to when something is so."""
    starts = [moment.at_s for moment in timeline if moment.act == first]
    return list(
        zip(starts, [moment.at_s for moment in timeline if moment.act == last], strict=True)
    )


def overlap(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Tell whether two spans share a moment."""
    return one[0] < other[1] and other[0] < one[1]


def test_every_moment_is_in_order_and_within_the_run(planned: Disturbances) -> None:
    """Each timeline is followed from first to last."""
    for timeline in (planned.app, planned.influxdb, *planned.cuts.values()):
        times = [moment.at_s for moment in timeline]
        assert times == sorted(times)
        assert times[0] >= 0
        assert times[-1] <= SECONDS


def test_the_app_is_killed_as_often_as_asked(planned: Disturbances) -> None:
    """It starts again by itself."""
    assert [moment.act for moment in planned.app] == ["kill"] * 5


def test_each_store_is_cut_off_three_times_refusing_and_then_silent(planned: Disturbances) -> None:
    """And it is restored after each."""
    for timeline in planned.cuts.values():
        assert [moment.act for moment in timeline] == ["refuse", "fall_silent", "restore"] * CUTS


def test_stores_are_cut_off_alone_and_together(planned: Disturbances) -> None:
    """One store's outage must not hide what the other's does."""
    one, other = (spans(timeline, "refuse", "restore") for timeline in planned.cuts.values())
    assert [any(overlap(span, found) for found in other) for span in one] == [False, True, False]


def test_influxdb_is_killed_while_its_proxy_is_up(planned: Disturbances) -> None:
    """Else the kill would not be seen."""
    crashes = spans(planned.influxdb, "kill", "start")
    assert len(crashes) == 2
    for cut in spans(planned.cuts["influxdb"], "refuse", "restore"):
        assert not any(overlap(cut, crash) for crash in crashes)
