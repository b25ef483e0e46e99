"""Tests of scoring.spill: a file that cannot be read holds up none behind it."""

from pathlib import Path

import msgspec
import pytest

from scoring.spill import Spill
from scoring.spilled_batch import SpilledBatch
from scoring.storage import Container, FolderStorage
from tests.spilled_work import Clock, Work

pytest_plugins = ["tests.spill_fixtures"]


def test_a_damaged_batch_does_not_hold_up_those_behind_it(
    spill: Spill,
    spill_container: Container,
    spill_work: Work,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is left for a person, who is told what to do; once, however often the timer runs."""
    events, scored = spill_work
    path = "influxdb/00000000000000000000-0-damaged.msgpack"
    spill_container.put(path, b"\xc1")
    spill.put("influxdb", events, [scored])
    for _ in range(2):
        assert len(list(spill.waiting("influxdb"))) == 1
    assert len(list(spill_container.list("influxdb/"))) == 2
    assert caplog.text.count(f"{path} cannot be read") == 1
    assert "move it elsewhere" in caplog.text
    spill_container.put(path, b"\xc1\xc1")
    assert len(list(spill.waiting("influxdb"))) == 1
    assert caplog.text.count(f"{path} cannot be read") == 2


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
    tmp_path: Path, spill_work: Work, name: str
) -> None:
    """One file must not stand before all that wait behind it."""
    events, scored = spill_work
    container = FolderStorage(tmp_path / "stored").container("spill")
    spill = Spill(container, 10, Clock())
    container.put("influxdb/0.msgpack", damaged(name, SpilledBatch.of(events, scored)))
    spill.put("influxdb", events, [scored])
    (entry, _), *others = spill.waiting("influxdb")
    assert (entry.path != "influxdb/0.msgpack", others) == (True, [])
