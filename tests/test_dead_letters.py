"""Tests of scoring.dead_letters: every rejected reading is kept, once, as it arrived."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.memory_storage import MemoryContainer
from scoring import dead_letters
from scoring.dead_letters import DeadLetters, DeadLetterUnreadableError, LetterFile
from scoring.events import Rejected
from scoring.letters import whole_events
from scoring.names import is_plain_path
from scoring.storage import Container, FolderStorage
from tests.event_batches import ENQUEUED_NS, event_batch
from tests.kinds_of_storage import container_of
from tests.rejections import NOW, contents, rejected

LATER = datetime(2026, 5, 1, 13, 0, 0, tzinfo=UTC)


@pytest.fixture(params=["folder", "azurite"])
def container(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Container]:
    """Return an empty container of each kind."""
    with container_of(request, tmp_path) as found:
        yield found


def test_a_letter_says_all_there_is_to_know(container: Container) -> None:
    """One JSON line: place, reason, field, times, keys and the reading itself."""
    batch = replace(
        event_batch([b"{}", b'{"a":"\xc3\xa4"}'], hub="readings", partition="3", first=40)
    )
    batch = replace(batch, partition_keys=[None, "pump-1"], device_ids=[None, "device-7"])
    one = Rejected(1, 2, batch.bodies[1], "missing_feature", "the model needs feature 'b'", "b")
    DeadLetters(container).write(batch, [one], NOW)
    ((path, data),) = contents(container).items()
    assert path.startswith("readings/3/00000000000000000041-00000000000000000041-")
    assert path.endswith(".ndjson")
    assert json.loads(data) == {
        "hub": "readings",
        "partition": "3",
        "sequence_number": 41,
        "index": 2,
        "reason": "missing_feature",
        "message": "the model needs feature 'b'",
        "field": "b",
        "enqueued_time": "2026-05-01T12:00:00.123Z",
        "rejected_time": "2026-05-01T12:00:05.000+00:00",
        "partition_key": "pump-1",
        "device_id": "device-7",
        "raw": '{"a":"ä"}',
    }


def test_a_batch_makes_one_file_with_a_line_for_each_rejected_reading(container: Container) -> None:
    """NDJSON: every line stands alone, even where a reading holds line breaks."""
    batch = event_batch([b"a\nb", b"\r\n", b"c\xe2\x80\xa8d"])
    DeadLetters(container).write(batch, rejected(batch, 0, 1, 2), NOW)
    (data,) = contents(container).values()
    assert data.endswith(b"\n")
    assert [json.loads(line)["raw"] for line in data[:-1].split(b"\n")] == [
        "a\nb",
        "\r\n",
        "c\u2028d",
    ]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xfe\x00",
        bytes(range(256)),
        b'{"a": 1}\n',
        b"\x00",
        "é\u2028😀".encode(),
        b"\xed\xa0\x80",
    ],
    ids=["empty", "not UTF-8", "every byte", "line break", "NUL", "beyond ASCII", "half a pair"],
)
def test_raw_bytes_come_back_exactly(container: Container, raw: bytes) -> None:
    """Text stays readable, and anything else is base64."""
    batch = event_batch([raw])
    letters = DeadLetters(container)
    letters.write(batch, rejected(batch, 0), NOW)
    assert [letter.raw_bytes() for letter in letters.read()] == [raw]


def test_writing_the_same_rejections_again_changes_nothing(container: Container) -> None:
    """Neither the number of files nor a byte of them, even at another time."""
    batch = event_batch([b"x", b"y"])
    letters = DeadLetters(container)
    letters.write(batch, rejected(batch, 0, 1), NOW)
    before = contents(container)
    letters.write(batch, rejected(batch, 0, 1), LATER)
    assert contents(container) == before


def test_a_reading_delivered_again_in_another_batch_is_read_once(container: Container) -> None:
    """Batches have other bounds after a crash; identities tell."""
    bodies = [b"a", b"b", b"c"]
    letters = DeadLetters(container)
    first, second = event_batch(bodies, first=10), event_batch(bodies[1:], first=11)
    letters.write(first, rejected(first, 0, 1), NOW)
    letters.write(second, rejected(second, 0, 1), LATER)
    assert len(contents(container)) == 2
    assert sorted(letter.sequence_number for letter in letters.read()) == [10, 11, 12]


def test_nothing_is_written_where_nothing_was_rejected(container: Container) -> None:
    """Most batches: no file, no request."""
    DeadLetters(container).write(event_batch([b"x"]), [], NOW)
    assert contents(container) == {}


@pytest.mark.parametrize(
    "name", ["..", ".", "", "a/b", "/etc", "a\\b", "läuft", "x" * 256, "a\x00b"]
)
def test_a_name_unfit_for_a_path_is_kept_in_the_letter(container: Container, name: str) -> None:
    """Data chooses no path: the folder is made of plain characters."""
    batch = event_batch([b"x"], hub=name, partition=name)
    letters = DeadLetters(container)
    letters.write(batch, rejected(batch, 0), NOW)
    assert [(letter.hub, letter.partition) for letter in letters.read()] == [(name, name)]
    assert all(len(path.split("/")) == 3 for path in contents(container))


def test_hubs_whose_names_make_one_folder_keep_apart(container: Container) -> None:
    """The file of one never takes the place of the other's."""
    letters = DeadLetters(container)
    for hub in ("a/b", "a_b", "a.b"):
        batch = event_batch([b"x"], hub=hub)
        letters.write(batch, rejected(batch, 0), NOW)
    assert {letter.hub for letter in letters.read()} == {"a/b", "a_b", "a.b"}


def test_a_hub_made_anew_keeps_its_own_letters(container: Container) -> None:
    """Its sequence numbers begin again; other events had them before."""
    letters = DeadLetters(container)
    for raw, enqueued_ns in ((b"x", ENQUEUED_NS), (b"y", ENQUEUED_NS + 10**12)):
        batch = replace(event_batch([raw]), enqueued_ns=[enqueued_ns])
        letters.write(batch, rejected(batch, 0), NOW)
    assert sorted(letter.raw_bytes() for letter in letters.read()) == [b"x", b"y"]


def test_a_whole_event_stands_beside_its_own_first_reading(container: Container) -> None:
    """Rejected first for itself, then with its event because of a bug."""
    batch = event_batch([b"[1,{}]"])
    letters = DeadLetters(container)
    letters.write(batch, [Rejected(0, 0, b"1", "not_an_object", "expected a JSON object")], NOW)
    letters.write(batch, whole_events(batch, "TypeError: a bug"), NOW)
    assert sorted(letter.raw_bytes() for letter in letters.read()) == [b"1", b"[1,{}]"]


def test_a_killed_write_leaves_no_letter(tmp_path: Path) -> None:
    """A file is whole or absent: what a kill leaves in the folder is not read."""
    folder = tmp_path / "dead-letter" / "hub" / "0"
    folder.mkdir(parents=True)
    (folder / ".writing-abc").write_bytes(b'{"hub": "hub", "part')
    assert list(DeadLetters(FolderStorage(tmp_path).container("dead-letter")).read()) == []


@pytest.mark.parametrize(
    "damage",
    [
        b"{",
        b'{"hub":"\xff"}',
        b'{"x":' + b"[" * 100_000,
        (
            b'{"hub":"h","partition":"0","sequence_number":9223372036854775808,"index":0,"reason":"r",'
            b'"message":"m","enqueued_time":"2026-05-01T00:00:00Z","rejected_time":"","raw":"{}"}'
        ),
    ],
    ids=["cut", "not UTF-8", "nested without end", "a number that no hub has"],
)
def test_a_damaged_file_is_named(container: Container, damage: bytes) -> None:
    """Reading every letter must not pass over one in silence."""
    container.put("hub/0/damaged.ndjson", damage)
    with pytest.raises(DeadLetterUnreadableError, match=r"dead-letter/hub/0/damaged\.ndjson"):
        list(DeadLetters(container).read())


@pytest.mark.parametrize("nanoseconds", [0, 1, 100_000_000, 123_456_789])
def test_the_enqueued_time_comes_back_exactly(container: Container, nanoseconds: int) -> None:
    """A reading without a time has its identity from it."""
    enqueued_ns = ENQUEUED_NS // 10**9 * 10**9 + nanoseconds
    batch = replace(event_batch([b"x"]), enqueued_ns=[enqueued_ns])
    letters = DeadLetters(container)
    letters.write(batch, rejected(batch, 0), NOW)
    assert [letter.enqueued_ns for letter in letters.read()] == [enqueued_ns]


def written(container: Container, *bodies: bytes) -> tuple[DeadLetters, LetterFile]:
    """Keep a batch that was rejected whole, and return the one file there is."""
    batch = event_batch(bodies)
    letters = DeadLetters(container)
    letters.write(batch, rejected(batch, *range(len(bodies))), NOW)
    (file,) = letters.files()
    return letters, file


def test_what_is_settled_goes_and_what_is_left_stays(container: Container) -> None:
    """Under a name of its own, which follows from the content."""
    letters, file = written(container, b"x", b"y")
    assert letters.settle(file, file.letters[1:])
    (left,) = letters.files()
    assert (left.letters, left.path != file.path) == (file.letters[1:], True)
    assert letters.settle(left, [])
    assert contents(container) == {}


def test_settling_what_another_has_settled_changes_nothing(container: Container) -> None:
    """Two replays at once."""
    letters, file = written(container, b"x", b"y")
    assert letters.settle(file, file.letters[1:])
    before = contents(container)
    assert letters.settle(file, file.letters[1:])
    assert contents(container) == before


def test_a_file_that_was_altered_since_it_was_read_stays(container: Container) -> None:
    """What somebody wrote meanwhile was not settled."""
    letters, file = written(container, b"x")
    container.put(file.path, b"{}\n")
    assert not letters.settle(file, [])
    assert contents(container) == {file.path: b"{}\n"}


def test_of_many_letters_only_those_still_to_come_are_remembered(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copies stand in files that overlap, and those follow each other: each is still read once."""
    monkeypatch.setattr(dead_letters, "MOST_REMEMBERED", 3)
    letters = DeadLetters(container)
    for partition in "01":
        for first in range(20):
            batch = event_batch([b"a", b"b", b"c"], first=first, partition=partition)
            letters.write(batch, rejected(batch, 0, 1, 2), NOW)
    found = [(letter.partition, letter.sequence_number) for letter in letters.read()]
    assert found == [(partition, number) for partition in "01" for number in range(22)]


@given(st.text(), st.text())
def test_no_name_of_a_hub_leads_out_of_the_container(hub: str, partition: str) -> None:
    """Separators, dots, NUL and what a disk would misread are written as something else."""
    container = MemoryContainer("dead-letter")
    batch = event_batch([b"x"], hub=hub, partition=partition)
    DeadLetters(container).write(batch, rejected(batch, 0), NOW)
    (path,) = container.files
    assert is_plain_path(path)
    assert path.count("/") == 2
