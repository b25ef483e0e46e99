"""Scored batches wait in storage while a store is down, and come back as they were."""

import threading
import time
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from functools import partial, partialmethod
from pathlib import Path

import msgspec
import numpy as np
import pytest
from azure.storage.blob import ContainerClient

from scoring.errors import SpillFullError
from scoring.event_batch import EventBatch
from scoring.pipeline import score_batch
from scoring.scored import Refused, ScoredBatch
from scoring.spill import Spill
from scoring.spilled_batch import SpilledBatch
from scoring.storage import Container, Entry, FolderStorage
from tests.deployments import deployed
from tests.event_batches import body, event_batch
from tests.kinds_of_storage import container_of
from tests.small_models import publish, small_model

# Beyond what is waited for on purpose; a machine that is busy with other tests is slow.
SLOW_S = 10.0


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now


@pytest.fixture(params=["folder", "azurite"])
def container(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Container]:
    """Return an empty container of each kind."""
    with container_of(request, tmp_path / "stored") as found:
        yield found


@pytest.fixture
def spill(container: Container) -> Spill:
    """Return an empty spill with room."""
    return Spill(container, 10, Clock())


@pytest.fixture
def work(tmp_path: Path) -> tuple[EventBatch, ScoredBatch]:
    """Score a batch with an anomaly, an array and a body that is not plain ASCII."""
    bodies = [
        body(0, temperature=90.0),
        b"[%b,%b]" % (body(1), body(2)),
        body(3, sensor="Pümpe", note="…"),
    ]
    events = event_batch(bodies, first=40)
    with deployed(tmp_path / "app") as deployment:
        publish(deployment.models, small_model())
        delivery = deployment.app.delivery
        (scored,) = score_batch(events, delivery.cache.snapshot(), delivery.policy).scored
    return events, scored


def put(spill: Spill, work: tuple[EventBatch, ScoredBatch]) -> tuple[Entry, SpilledBatch]:
    """Spill the work for one store, and return what waits there alone."""
    events, scored = work
    spill.put("influxdb", events, [scored])
    (found,) = spill.waiting("influxdb")
    return found


def numbered(
    events: EventBatch, scored: ScoredBatch, number: int
) -> tuple[EventBatch, list[ScoredBatch]]:
    """Let the work come from later in its partition."""
    later = [one + 100 * number for one in events.sequence_numbers]
    enqueued = [one + 10**9 * number for one in events.enqueued_ns]
    moved = replace(scored, sequence_numbers=scored.sequence_numbers + 100 * number)
    return replace(events, sequence_numbers=later, enqueued_ns=enqueued), [moved]


def test_a_batch_comes_back_as_it_was(spill: Spill, work: tuple[EventBatch, ScoredBatch]) -> None:
    """Every column, to the last bit."""
    _, scored = work
    _, spilled = put(spill, work)
    found = spilled.scored_batch()
    for field in fields(ScoredBatch):
        before, after = getattr(scored, field.name), getattr(found, field.name)
        if isinstance(before, np.ndarray):
            assert np.array_equal(before, after), field.name
            assert before.dtype == after.dtype, field.name
        else:
            assert before == after, field.name
    assert scored.causes


def test_what_waits_is_read_in_the_order_of_arrival(
    container: Container, work: tuple[EventBatch, ScoredBatch]
) -> None:
    """Each sink has its own; what is removed is gone."""
    events, scored = work
    clock = Clock()
    spill = Spill(container, 10, clock)
    for number in range(12):
        spill.put("cosmos" if number == 3 else "influxdb", *numbered(events, scored, number))
    waiting = list(spill.waiting("influxdb"))
    paths = [entry.path for entry, _ in waiting]
    assert len(paths) == 11
    assert paths == sorted(paths)
    spill.remove(waiting[0][0])
    assert [entry.path for entry, _ in spill.waiting("influxdb")] == paths[1:]
    assert len(list(spill.waiting("cosmos"))) == 1


def test_the_oldest_is_read_before_the_others_are_listed(
    container: Container, work: tuple[EventBatch, ScoredBatch], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listing of hundreds of thousands takes longer than a run of the timer."""
    spill, listing, listed = Spill(container, 10, Clock()), container.list, []
    for number in range(3):
        spill.put("influxdb", *numbered(*work, number))

    def watched(prefix: str = "") -> Iterator[Entry]:
        for entry in listing(prefix):
            listed.append(entry.path)
            yield entry

    monkeypatch.setattr(container, "list", watched)
    entry, _ = next(spill.waiting("influxdb"))
    assert listed == [entry.path]


def test_what_goes_while_it_is_listed_costs_no_other_its_turn(
    container: Container, work: tuple[EventBatch, ScoredBatch], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blob Storage lists by pages, and what was on the last one is gone by the next."""
    pages = partialmethod(ContainerClient.list_blobs, results_per_page=2)
    monkeypatch.setattr(ContainerClient, "list_blobs", pages)
    spill = Spill(container, 10, Clock())
    for number in range(7):
        spill.put("influxdb", *numbered(*work, number))
    for entry, _ in spill.waiting("influxdb"):
        spill.remove(entry)
    assert not list(container.list("influxdb/"))


def fill(spill: Spill, events: EventBatch, scored: ScoredBatch) -> None:
    """Spill more than fits."""
    for number in range(100):
        spill.put("influxdb", *numbered(events, scored, number))


def test_past_its_bound_the_caller_keeps_the_batch(
    container: Container, work: tuple[EventBatch, ScoredBatch]
) -> None:
    """Also where another process filled it; once there is room it takes again."""
    events, scored = work
    clock = Clock()
    first, second = Spill(container, 0.005, clock), Spill(container, 0.005, clock)
    with pytest.raises(SpillFullError, match="SPILL_MAX_MB"):
        fill(first, events, scored)
    kept = list(first.waiting("influxdb"))
    assert 0 < sum(entry.size for entry, _ in kept) <= 5_000
    with pytest.raises(SpillFullError):
        second.put("influxdb", events, [scored])
    for entry, _ in kept:
        first.remove(entry)
    clock.now += timedelta(seconds=11)
    second.put("influxdb", events, [scored])


def test_what_a_store_refuses_later_is_told_by_its_own_place(
    spill: Spill, work: tuple[EventBatch, ScoredBatch]
) -> None:
    """Sequence number, index and bytes as they arrived."""
    _, spilled = put(spill, work)
    (one,) = spilled.rejected([Refused(spilled.scored_batch(), 2, "too old")])
    assert spilled.events().sequence_numbers[one.event] == 41
    assert (one.index, one.raw, one.reason) == (1, body(2), "refused_by_store")


def test_depth_tells_how_much_waits_and_since_when(
    container: Container, work: tuple[EventBatch, ScoredBatch]
) -> None:
    """Listed at most every ten seconds."""
    clock = Clock()
    spill = Spill(container, 10, clock)
    assert spill.depth().n_files == 0
    spill.put("influxdb", work[0], [work[1]])
    assert spill.depth().n_files == 0
    clock.now += timedelta(seconds=11)
    depth = spill.depth()
    assert (depth.n_files, depth.n_bytes > 500) == (1, True)
    assert depth.oldest is not None


def test_a_batch_that_comes_again_waits_once(
    spill: Spill, work: tuple[EventBatch, ScoredBatch]
) -> None:
    """While another store asks for patience, a batch comes again and again."""
    events, scored = work
    for _ in range(3):
        spill.put("influxdb", events, [scored])
    assert len(list(spill.waiting("influxdb"))) == 1


def test_a_damaged_batch_does_not_hold_up_those_behind_it(
    spill: Spill,
    container: Container,
    work: tuple[EventBatch, ScoredBatch],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is left for a person, who is told what to do; once, however often the timer runs."""
    events, scored = work
    container.put("influxdb/00000000000000000000-0-damaged.msgpack", b"\xc1")
    spill.put("influxdb", events, [scored])
    for _ in range(2):
        assert len(list(spill.waiting("influxdb"))) == 1
    assert len(list(container.list("influxdb/"))) == 2
    assert caplog.text.count("damaged.msgpack cannot be read") == 1
    assert "move it elsewhere" in caplog.text
    container.put("influxdb/00000000000000000000-0-damaged.msgpack", b"\xc1\xc1")
    assert len(list(spill.waiting("influxdb"))) == 1
    assert caplog.text.count("damaged.msgpack cannot be read") == 2


def damaged(name: str, batch: SpilledBatch) -> bytes:
    """Return a file of the right form with something wrong in it."""
    if name == "not UTF-8":
        return msgspec.msgpack.encode({"hub": "?hub?"}).replace(b"?hub?", b"\xff" * 5)
    if name == "nested without end":
        return b"\x81\xa1x" + b"\x91" * 100_000
    columns: dict[str, object] = {
        "too few scores": {"score": batch.score[1:]},
        "a time of 64 bits": {"event_time_ns": [2**63, *batch.event_time_ns[1:]]},
        "a cause of nothing": {"causes": {999: [("a", 1.0)]}},
        "no readings": {},
    }
    content = msgspec.to_builtins(batch, builtin_types=(bytes,))
    changes = columns[name]
    assert isinstance(changes, dict)
    return msgspec.msgpack.encode(
        content
        | (changes or {key: [] for key, value in content.items() if isinstance(value, list)})
    )


@pytest.mark.parametrize(
    "name",
    [
        "not UTF-8",
        "nested without end",
        "too few scores",
        "a time of 64 bits",
        "a cause of nothing",
        "no readings",
    ],
)
def test_whatever_is_wrong_with_a_file_it_is_left_and_the_next_is_read(
    tmp_path: Path, work: tuple[EventBatch, ScoredBatch], name: str
) -> None:
    """One file must not stand before all that wait behind it."""
    events, scored = work
    container = FolderStorage(tmp_path / "stored").container("spill")
    spill = Spill(container, 10, Clock())
    container.put("influxdb/0.msgpack", damaged(name, SpilledBatch.of(events, scored)))
    spill.put("influxdb", events, [scored])
    (entry, _), *others = spill.waiting("influxdb")
    assert (entry.path != "influxdb/0.msgpack", others) == (True, [])


def test_what_was_put_anew_while_it_was_written_back_stays(
    spill: Spill, work: tuple[EventBatch, ScoredBatch]
) -> None:
    """A newer model scored it meanwhile: the older result alone would be stored."""
    events, scored = work
    file, _ = put(spill, work)
    spill.put("influxdb", events, [replace(scored, model_version="newer")])
    spill.remove(file)
    ((newer, spilled),) = spill.waiting("influxdb")
    assert spilled.model_version == "newer"
    spill.remove(newer)
    assert not list(spill.waiting("influxdb"))


def test_other_readings_never_take_the_place_of_those_that_wait(
    spill: Spill, work: tuple[EventBatch, ScoredBatch]
) -> None:
    """A store of anomalies is given others by another model, with the same ends and number."""
    events, scored = work
    for rows in ([0, 1, 3], [0, 2, 3]):
        spill.put("cosmos", events, [scored.take(rows)])
    assert len(list(spill.waiting("cosmos"))) == 2


def test_what_takes_its_own_place_again_takes_no_more_room(
    container: Container, work: tuple[EventBatch, ScoredBatch]
) -> None:
    """It comes again every minute while another store asks for patience."""
    events, scored = work
    spill = Spill(container, 0.005, Clock())
    for _ in range(20):
        spill.put("influxdb", events, [scored])


def test_a_reading_at_the_edge_of_depth_costs_none_of_its_neighbours(
    spill: Spill, work: tuple[EventBatch, ScoredBatch]
) -> None:
    """What is too deep where it is drained loses what it held besides its features."""
    _, scored = work
    _, spilled = put(spill, work)
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    edge = msgspec.structs.replace(spilled, raws=[deep, *spilled.raws[1:]])
    found = edge.scored_batch()
    assert (found.payloads[0], found.payloads[1:]) == ({}, scored.payloads[1:])
    assert np.array_equal(found.X, scored.X)


def test_what_waits_for_stores_that_are_switched_off_is_counted(
    spill: Spill, work: tuple[EventBatch, ScoredBatch]
) -> None:
    """Nobody else tells of it."""
    events, scored = work
    for name in ("influxdb", "cosmos"):
        spill.put(name, events, [scored])
    assert spill.of_others({"influxdb"}) == {"cosmos": 1}


@pytest.mark.parametrize("other", ["batch", "reader"])
def test_a_batch_does_not_wait_for_the_listing_of_another(
    container: Container,
    work: tuple[EventBatch, ScoredBatch],
    monkeypatch: pytest.MonkeyPatch,
    other: str,
) -> None:
    """A storage that is silent would hold up each of them in turn; health is one, too."""
    events, scored = work
    spill, asked, released = Spill(container, 10, Clock()), threading.Event(), threading.Event()
    listing = container.list

    def silent_once(prefix: str = "") -> Iterator[Entry]:
        if not asked.is_set():
            asked.set()
            assert released.wait(60)
        return listing(prefix)

    monkeypatch.setattr(container, "list", silent_once)
    put = partial(spill.put, "a", *numbered(events, scored, 1))
    first = threading.Thread(target=spill.depth if other == "reader" else put)
    first.start()
    assert asked.wait(60)
    started = time.monotonic()
    spill.put("a", *numbered(events, scored, 2))
    assert time.monotonic() - started < SLOW_S
    released.set()
    first.join(60)
    assert len(list(spill.waiting("a"))) == 2 - (other == "reader")


def test_what_was_put_during_a_listing_counts(
    container: Container, work: tuple[EventBatch, ScoredBatch], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches side by side do not fill the spill beyond its size."""
    events, scored = work
    Spill(container, 10, Clock()).put("a", *numbered(events, scored, 1))
    (entry,) = container.list()
    spill, listing = Spill(container, 2.5 * entry.size / 1e6, Clock()), container.list
    puts = iter([2])

    def with_another(prefix: str = "") -> Iterator[Entry]:
        found = list(listing(prefix))
        for number in puts:
            spill.put("a", *numbered(events, scored, number))
        return iter(found)

    monkeypatch.setattr(container, "list", with_another)
    with pytest.raises(SpillFullError):
        spill.put("a", *numbered(events, scored, 3))
