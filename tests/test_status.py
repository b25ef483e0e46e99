"""Tests of scoring.status: what one scorer process tells the others."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from scoring.storage import Container, Stored
from tests.kinds_of_storage import container_of
from tests.status_boards import MODELS, Clock, board_of, ledger, records


@pytest.fixture(params=["folder", "azurite"])
def container(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Container]:
    """Return an empty container of each kind."""
    with container_of(request, tmp_path) as found:
        yield found


def test_a_record_says_what_its_process_did(container: Container) -> None:
    """Counts, reasons, lag, models and sinks, under the instance's name."""
    clock = Clock()
    board = board_of(container, "host-1", clock)
    board.batch_ended(ledger(), MODELS, {"sqlite": "ok"})
    assert [entry.path for entry in container.list()] == ["host-1.json"]
    record = records(container, clock)["host-1"]
    assert record.counts["scored"] == 1
    assert record.rejected == {"not_utf8": 2}
    assert (record.lag_p50_ms, record.lag_max_ms) == (7.2, 7.2)
    assert (record.models, record.sinks) == (MODELS, {"sqlite": "ok"})
    assert record.last_batch_time == clock.now


def test_a_record_is_written_at_most_every_15_seconds(container: Container) -> None:
    """However many batches end in between."""
    clock = Clock()
    board = board_of(container, "host-1", clock)
    stored = []
    for scored, seconds in enumerate((0, 14.9, 0.1, 14.9, 0.2)):
        clock.move(seconds)
        board.batch_ended(ledger(scored), MODELS, {})
        stored.append(records(container, clock)["host-1"].counts["scored"])
    assert stored == [0, 0, 2, 2, 4]


def test_records_of_all_processes_are_joined_while_they_are_fresh(container: Container) -> None:
    """Two minutes; a process that ended or idles longer is not counted."""
    clock = Clock()
    board_of(container, "host-1", clock).batch_ended(ledger(), MODELS, {})
    clock.move(100)
    board_of(container, "host-2", clock).batch_ended(ledger(), MODELS, {})
    clock.move(20)
    assert records(container, clock).keys() == {"host-1", "host-2"}
    clock.move(1)
    assert records(container, clock).keys() == {"host-2"}


def test_a_record_of_another_release_is_left_out(container: Container) -> None:
    """During a deployment there are such; health must not fail over them."""
    clock = Clock()
    board_of(container, "host-1", clock).batch_ended(ledger(), MODELS, {})
    container.put("host-2.json", b'{"instance": "host-2"}')
    container.put("host-3.json", b"half a rec")
    container.put("host-4.json", b'{"instance": "\xff"}')
    container.put("host-5.json", b'{"x":' + b"[" * 100_000)
    assert records(container, clock).keys() == {"host-1"}


def test_a_record_whose_times_are_millennia_apart_is_left_out(container: Container) -> None:
    """No process wrote that; health must not fail over it."""
    clock = Clock()
    board_of(container, "host-1", clock).batch_ended(ledger(), MODELS, {})
    found = container.get("host-1.json")
    assert isinstance(found, Stored)
    record = msgspec.json.decode(found.data)
    record |= {"instance": "host-2", "written_time": "9999-01-01T00:00:00Z"}
    record |= {"last_batch_time": "0001-01-02T00:00:00Z"}
    container.put("host-2.json", msgspec.json.encode(record))
    assert records(container, clock).keys() == {"host-1"}


def test_a_field_of_a_later_release_does_no_harm(container: Container) -> None:
    """What a reader does not know it ignores."""
    clock = Clock()
    board_of(container, "host-1", clock).batch_ended(ledger(), MODELS, {})
    found = container.get("host-1.json")
    assert isinstance(found, Stored)
    container.put("host-1.json", msgspec.json.encode(msgspec.json.decode(found.data) | {"new": 1}))
    assert records(container, clock).keys() == {"host-1"}


def test_records_of_processes_that_ended_a_day_ago_are_swept(container: Container) -> None:
    """They would be listed for ever; a younger one stays."""
    clock = Clock()
    board_of(container, "ended", clock).batch_ended(ledger(), MODELS, {})
    clock.move(23 * 3600)
    board_of(container, "alive", clock).sweep()
    assert [entry.path for entry in container.list()] == ["ended.json"]
    clock.move(2 * 3600)
    board_of(container, "alive", clock).sweep()
    assert list(container.list()) == []


def test_a_record_whose_times_have_no_zone_is_left_out(container: Container) -> None:
    """They could be held against no other time, and health would fail over it."""
    clock = Clock()
    board_of(container, "host-1", clock).batch_ended(ledger(), MODELS, {})
    found = container.get("host-1.json")
    assert isinstance(found, Stored)
    container.put("host-2.json", found.data.replace(b'Z"', b'"'))
    assert records(container, clock).keys() == {"host-1"}
