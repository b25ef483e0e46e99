"""Tests of local.log: what is appended is there, in order, once."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.log import EventLog, LogEvent, UnknownPartitionError, log_path, partition_of
from scoring.errors import SettingsError

HOUR_NS = 3_600 * 10**9


class Clock:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.now_ns = 1_700_000_000 * 10**9

    def __call__(self) -> int:
        """Return the time."""
        return self.now_ns


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands still."""
    return Clock()


@pytest.fixture
def log(tmp_path: Path, clock: Clock) -> Iterator[EventLog]:
    """Open an empty log."""
    with EventLog(tmp_path / "hubs" / "hub.sqlite", clock=clock) as log:
        yield log


def to_partition(partition: int, *bodies: bytes) -> list[LogEvent]:
    """Return events for one partition."""
    return [LogEvent(body, partition=partition) for body in bodies]


def test_sequence_numbers_of_a_partition_have_no_gaps(log: EventLog) -> None:
    """They start at 0 and go on over several appends."""
    first = log.append(to_partition(1, b"a", b"b"))
    second = log.append(to_partition(1, b"c") + to_partition(2, b"x"))
    assert first + second == [(1, 0), (1, 1), (1, 2), (2, 0)]


def test_an_event_is_read_as_it_was_appended(log: EventLog, clock: Clock) -> None:
    """Body, key, properties and time survive, whatever bytes the body holds."""
    log.append([LogEvent(b"\xff\x00{", "pump-01", {"site": "north", "n": 1}, partition=0)])
    (event,) = log.read(0, after=-1, limit=10)
    assert event.body == b"\xff\x00{"
    assert event.partition_key == "pump-01"
    assert event.properties == '{"site": "north", "n": 1}'
    assert event.enqueued_time_ns == clock.now_ns


def test_reading_goes_on_after_a_position_up_to_a_limit(log: EventLog) -> None:
    """`after` is the last event done; `limit` bounds the batch."""
    log.append(to_partition(0, *[b"%d" % i for i in range(10)]))
    assert [e.sequence_number for e in log.read(0, after=3, limit=4)] == [4, 5, 6, 7]
    assert log.read(0, after=9, limit=4) == []


def test_offsets_grow_within_a_partition(log: EventLog) -> None:
    """An offset orders the events of its partition, empty bodies too."""
    log.append(to_partition(0, b"", b"", b"abc", b""))
    offsets = [event.offset for event in log.read(0, -1, 10)]
    assert offsets == sorted(set(offsets))


def test_one_key_goes_to_one_partition(log: EventLog) -> None:
    """The partition of a key depends on nothing but the key and their number."""
    placed = log.append([LogEvent(b"", f"pump-{i % 7}") for i in range(70)])
    assert all(p == partition_of(f"pump-{i % 7}", 4) for i, (p, _) in enumerate(placed))


@pytest.mark.parametrize(("key", "partition"), [("pump-01", 2), ("", 0), ("Ä", 2)])
def test_the_partition_of_a_key_never_changes(key: str, partition: int) -> None:
    """Another hash would break the order of sensors in logs that exist."""
    assert partition_of(key, 4) == partition


def test_keys_spread_over_partitions() -> None:
    """A fleet of numbered sensors uses every partition about equally."""
    counts = [0] * 4
    for i in range(1_000):
        counts[partition_of(f"sensor-{i:04}", 4)] += 1
    assert min(counts) > 200


def test_events_without_a_key_take_turns(log: EventLog) -> None:
    """Partitions fill evenly."""
    log.append([LogEvent(b"") for _ in range(8)])
    assert log.end_positions() == {0: 1, 1: 1, 2: 1, 3: 1}


def test_an_unknown_partition_appends_nothing(log: EventLog) -> None:
    """An append is all or nothing."""
    with pytest.raises(UnknownPartitionError, match="0 to 3"):
        log.append([LogEvent(b"good"), LogEvent(b"", partition=4)])
    assert set(log.end_positions().values()) == {-1}


def test_a_failed_append_leaves_no_gap(log: EventLog) -> None:
    """A value that SQLite cannot take undoes the whole append."""
    with pytest.raises(sqlite3.Error):
        log.append([*to_partition(0, b"good"), LogEvent(b"", object(), partition=0)])
    assert log.append(to_partition(0, b"next")) == [(0, 0)]


def test_a_log_keeps_its_number_of_partitions(tmp_path: Path) -> None:
    """Another number would scatter the keys of a log that exists."""
    with EventLog(tmp_path / "a.sqlite", partitions=2):
        pass
    with EventLog(tmp_path / "a.sqlite", partitions=8) as again:
        assert again.partitions == 2


def test_checkpoints_belong_to_a_group_and_partition(log: EventLog) -> None:
    """Groups read the same events, each at its own pace."""
    log.set_checkpoint("one", 0, 5)
    log.set_checkpoint("one", 0, 7)
    found = [log.checkpoint(*key) for key in [("one", 0), ("one", 1), ("two", 0)]]
    assert found == [7, None, None]


def test_backlog_counts_what_a_group_has_not_done(log: EventLog) -> None:
    """All partitions count, those without a checkpoint in full."""
    log.append(to_partition(0, b"", b"", b"") + to_partition(1, b"", b""))
    log.set_checkpoint("one", 0, 0)
    assert (log.backlog("one"), log.backlog("two")) == (4, 5)


def test_trim_deletes_old_events_that_every_group_has_done(log: EventLog, clock: Clock) -> None:
    """What one group has still to read stays, however old."""
    log.append(to_partition(0, b"a", b"b", b"c"))
    log.set_checkpoint("fast", 0, 2)
    log.set_checkpoint("slow", 0, 0)
    clock.now_ns += 2 * HOUR_NS
    assert log.trim() == 1
    assert [event.body for event in log.read(0, -1, 10)] == [b"b", b"c"]


def test_trim_keeps_recent_events(log: EventLog, clock: Clock) -> None:
    """An hour is kept, as the Event Hubs emulator does."""
    log.append(to_partition(0, b"old"))
    clock.now_ns += 2 * HOUR_NS
    log.append(to_partition(0, b"new"))
    log.set_checkpoint("one", 0, 1)
    assert log.trim() == 1
    assert [event.body for event in log.read(0, -1, 10)] == [b"new"]


def test_trim_deletes_nothing_before_a_group_has_begun(log: EventLog, clock: Clock) -> None:
    """Without a checkpoint everything is unread."""
    log.append(to_partition(0, b"a"))
    clock.now_ns += 2 * HOUR_NS
    assert log.trim() == 0


def test_trim_works_in_bounded_steps(log: EventLog, clock: Clock) -> None:
    """A long log is not locked for long."""
    log.append(to_partition(0, *[b""] * 5))
    log.set_checkpoint("one", 0, 4)
    clock.now_ns += 2 * HOUR_NS
    assert [log.trim(step=2) for _ in range(4)] == [2, 2, 1, 0]


def test_sequence_numbers_go_on_after_everything_was_trimmed(log: EventLog, clock: Clock) -> None:
    """A number is never given twice."""
    log.append(to_partition(0, b"a"))
    log.set_checkpoint("one", 0, 0)
    clock.now_ns += 2 * HOUR_NS
    log.trim()
    assert log.append(to_partition(0, b"b")) == [(0, 1)]


def test_processes_append_to_one_log_without_gaps(tmp_path: Path) -> None:
    """Senders of several processes make and fill one file at the same time."""
    path = tmp_path / "hub.sqlite"
    code = (
        "import sys, pathlib\nfrom local.log import EventLog, LogEvent\n"
        "with EventLog(pathlib.Path(sys.argv[1])) as log:\n"
        "    for i in range(50): log.append([LogEvent(sys.argv[2].encode(), partition=0)])\n"
    )
    root = Path(__file__).parents[1]
    senders = [
        subprocess.Popen([sys.executable, "-c", code, path, name], cwd=root) for name in "abc"
    ]
    assert [sender.wait(60) for sender in senders] == [0, 0, 0]
    with EventLog(path) as log:
        events = log.read(0, -1, 1_000)
    assert [event.sequence_number for event in events] == list(range(150))
    assert sorted(event.body for event in events) == [b"a"] * 50 + [b"b"] * 50 + [b"c"] * 50


@pytest.mark.parametrize("hub", ["../x", "a/b", "", ".hidden", "a\\b"])
def test_a_hub_name_cannot_choose_a_path(hub: str) -> None:
    """Names are Event Hubs' own."""
    with pytest.raises(SettingsError):
        log_path(Path("data"), hub)


def test_a_hub_has_its_own_file() -> None:
    """The file is in the folder that the README names."""
    assert log_path(Path("data"), "sensor-features") == Path("data/hubs/sensor-features.sqlite")
