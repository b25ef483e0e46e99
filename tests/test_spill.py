"""Tests of scoring.spill: batches wait while a store is down, each in its own place."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partialmethod

import pytest
from azure.storage.blob import ContainerClient

from scoring.spill import Spill
from scoring.storage import Container, Entry
from tests.spilled_work import Clock, Work, numbered, put_alone

pytest_plugins = ["tests.spill_fixtures"]


def test_what_waits_is_read_in_the_order_of_arrival(spill: Spill, spill_work: Work) -> None:
    """Each sink has its own; what is removed is gone."""
    for number in range(12):
        spill.put("cosmos" if number == 3 else "influxdb", *numbered(spill_work, number))
    waiting = list(spill.waiting("influxdb"))
    paths = [entry.path for entry, _ in waiting]
    assert len(paths) == 11
    assert paths == sorted(paths)
    spill.remove(waiting[0][0])
    assert [entry.path for entry, _ in spill.waiting("influxdb")] == paths[1:]
    assert len(list(spill.waiting("cosmos"))) == 1


def test_the_oldest_is_read_before_the_others_are_listed(
    spill: Spill, spill_container: Container, spill_work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listing of hundreds of thousands takes longer than a run of the timer."""
    listing, listed = spill_container.list, []
    for number in range(3):
        spill.put("influxdb", *numbered(spill_work, number))

    def watched(prefix: str = "") -> Iterator[Entry]:
        for entry in listing(prefix):
            listed.append(entry.path)
            yield entry

    monkeypatch.setattr(spill_container, "list", watched)
    entry, _ = next(spill.waiting("influxdb"))
    assert listed == [entry.path]


def test_what_goes_while_it_is_listed_costs_no_other_its_turn(
    spill: Spill, spill_container: Container, spill_work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blob Storage lists by pages, and what was on the last one is gone by the next."""
    pages = partialmethod(ContainerClient.list_blobs, results_per_page=2)
    monkeypatch.setattr(ContainerClient, "list_blobs", pages)
    for number in range(7):
        spill.put("influxdb", *numbered(spill_work, number))
    for entry, _ in spill.waiting("influxdb"):
        spill.remove(entry)
    assert not list(spill_container.list("influxdb/"))


def test_a_batch_that_comes_again_waits_once(spill: Spill, spill_work: Work) -> None:
    """While another store asks for patience, a batch comes again and again."""
    events, scored = spill_work
    for _ in range(3):
        spill.put("influxdb", events, [scored])
    assert len(list(spill.waiting("influxdb"))) == 1


def test_what_was_put_anew_while_it_was_written_back_stays(spill: Spill, spill_work: Work) -> None:
    """A newer model scored it meanwhile: the older result alone would be stored."""
    events, scored = spill_work
    file, _ = put_alone(spill, spill_work)
    spill.put("influxdb", events, [replace(scored, model_version="newer")])
    spill.remove(file)
    ((newer, spilled),) = spill.waiting("influxdb")
    assert spilled.model_version == "newer"
    spill.remove(newer)
    assert not list(spill.waiting("influxdb"))


def test_other_readings_never_take_the_place_of_those_that_wait(
    spill: Spill, spill_work: Work
) -> None:
    """A store of anomalies is given others by another model, with the same ends and number."""
    events, scored = spill_work
    for rows in ([0, 1, 3], [0, 2, 3]):
        spill.put("cosmos", events, [scored.take(rows)])
    assert len(list(spill.waiting("cosmos"))) == 2


@pytest.mark.parametrize("what", ["hub", "partition", "model"])
def test_the_same_numbers_of_another_origin_are_other_readings(
    spill: Spill, spill_work: Work, what: str
) -> None:
    """Each partition of a new hub begins with the same numbers, perhaps at the same moment."""
    events, scored = spill_work
    spill.put("influxdb", events, [scored])
    if what == "model":
        spill.put("influxdb", events, [replace(scored, model="other")])
    elif what == "partition":
        moved = replace(scored, partition="1")
        spill.put("influxdb", replace(events, partition="1"), [moved])
    else:
        spill.put("influxdb", replace(events, hub="other"), [scored])
    first, second = (spilled for _, spilled in spill.waiting("influxdb"))
    assert getattr(first, what) != getattr(second, what)


def test_what_waits_for_stores_that_are_switched_off_is_counted(
    spill: Spill, spill_work: Work
) -> None:
    """Nobody else tells of it."""
    events, scored = spill_work
    for name in ("influxdb", "cosmos"):
        spill.put(name, events, [scored])
    assert spill.of_others({"influxdb"}) == {"cosmos": 1}


def test_depth_tells_how_much_waits_and_since_when(
    spill_container: Container, spill_work: Work
) -> None:
    """Listed at most every ten seconds; for one store each time."""
    clock = Clock()
    spill = Spill(spill_container, 10, clock)
    assert spill.depth().n_files == 0
    spill.put("influxdb", spill_work[0], [spill_work[1]])
    assert [spill.depth().n_files, spill.depth_of("influxdb").n_files] == [0, 1]
    clock.now += timedelta(seconds=11)
    depth = spill.depth()
    assert (depth.n_files, depth.n_bytes > 500) == (1, True)
    assert depth.oldest is not None
    assert spill.depth_of("cosmos").n_files == 0
