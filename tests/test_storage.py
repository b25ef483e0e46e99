"""Tests of scoring.storage: the folder keeps the same contract as Blob Storage (Azurite)."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from scoring.settings import load_settings
from scoring.storage import (
    BlobStorage,
    ConditionNotMetError,
    Container,
    FolderStorage,
    NotRead,
    Storage,
    Stored,
    UnsafePathError,
    open_storage,
)
from tests.kinds_of_storage import storage_of

UNSAFE = ["", "..", "../a", "a/../../b", "/a", "a//b", "a/./b", "a\\b", "a\x00b", "a/", "a\nb"]


@pytest.fixture(params=["folder", "blob"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    """Return an empty place for containers, of each kind in turn."""
    with storage_of(request, tmp_path) as found:
        yield found


@pytest.fixture
def container(storage: Storage) -> Container:
    """Return a container that does not exist yet."""
    return storage.container(f"test-{uuid4().hex[:12]}")


def etag(found: Stored | NotRead) -> str:
    """Return the tag of what was read."""
    assert isinstance(found, Stored)
    return found.etag


def test_what_was_put_is_read(container: Container) -> None:
    """Any bytes, an empty file too; the first write makes the container."""
    tag = container.put("default/1/model.joblib", b"\x00\xff model")
    assert container.get("default/1/model.joblib") == Stored(b"\x00\xff model", tag)
    container.put("empty", b"")
    assert isinstance(container.get("empty"), Stored)


def test_nothing_is_missing_rather_than_an_error(container: Container) -> None:
    """Neither a container nor a path has to exist to be asked for."""
    assert container.get("a") is NotRead.MISSING
    assert list(container.list()) == []
    container.delete("a")
    container.put("a/b", b"1")
    assert container.get("a") is NotRead.MISSING
    assert container.get("a/b/c") is NotRead.MISSING
    container.delete("a")
    container.delete("a/b/c")
    assert container.get("a/b") is not NotRead.MISSING


def test_an_unchanged_file_is_not_sent_again(container: Container) -> None:
    """A read under the known ETag gives no bytes until somebody writes."""
    tag = container.put("a", b"1")
    assert container.get("a", known_etag=tag) is NotRead.UNCHANGED
    container.put("a", b"2")
    found = container.get("a", known_etag=tag)
    assert isinstance(found, Stored)
    assert found.data == b"2"
    container.delete("a")
    assert container.get("a", known_etag=found.etag) is NotRead.MISSING


def test_every_write_has_an_etag_of_its_own(container: Container) -> None:
    """The same bytes written again are another version."""
    tags = [container.put("a", b"same") for _ in range(5)]
    assert len(set(tags)) == 5
    assert etag(container.get("a")) == tags[-1]


def test_only_the_first_writer_wins(container: Container) -> None:
    """With `only_if_absent` what is there stays as it is."""
    tag = container.put("a", b"first", only_if_absent=True)
    with pytest.raises(ConditionNotMetError):
        container.put("a", b"second", only_if_absent=True)
    assert container.get("a") == Stored(b"first", tag)


def test_a_stale_writer_loses(container: Container) -> None:
    """With `if_etag` a write counts only on top of what its writer has read."""
    stale = container.put("a", b"1")
    fresh = container.put("a", b"2", if_etag=stale)
    with pytest.raises(ConditionNotMetError):
        container.put("a", b"3", if_etag=stale)
    assert container.get("a") == Stored(b"2", fresh)


def test_a_condition_on_what_is_gone_fails(container: Container) -> None:
    """A writer that has read a file learns that somebody deleted it."""
    tag = container.put("a", b"1")
    container.delete("a")
    with pytest.raises(ConditionNotMetError):
        container.put("a", b"2", if_etag=tag)
    assert container.get("a") is NotRead.MISSING


def test_a_listing_is_sorted_by_path(container: Container) -> None:
    """All entries below a prefix, in the order of their text, with their sizes."""
    for path in ["b", "a/b", "a-b", "a/.hidden", "a.b", "c/d/e"]:
        container.put(path, path.encode())
    assert [entry.path for entry in container.list()] == sorted(
        ["b", "a/b", "a-b", "a/.hidden", "a.b", "c/d/e"]
    )
    assert [(entry.path, entry.size) for entry in container.list("a/")] == [
        ("a/.hidden", 9),
        ("a/b", 3),
    ]
    assert list(container.list("a/x")) == []


def test_an_entry_says_when_it_was_written(container: Container) -> None:
    """Readers of status records tell young ones from old ones; the zone is UTC."""
    container.put("a", b"1")
    (entry,) = container.list()
    assert abs(entry.modified.timestamp() - time.time()) < 60
    assert entry.modified.utcoffset() is not None


def test_what_was_deleted_is_gone(container: Container) -> None:
    """Deleting again changes nothing."""
    container.put("a/b", b"1")
    container.delete("a/b")
    container.delete("a/b")
    assert container.get("a/b") is NotRead.MISSING
    assert list(container.list()) == []


def test_only_what_is_unchanged_is_deleted(container: Container) -> None:
    """What another wrote in between stays; what is gone already is no fault."""
    before = container.put("a/b", b"1")
    after = container.put("a/b", b"22")
    with pytest.raises(ConditionNotMetError):
        container.delete("a/b", if_etag=before)
    found = container.get("a/b")
    assert isinstance(found, Stored)
    assert found.data == b"22"
    for _ in range(2):
        container.delete("a/b", if_etag=after)
    assert container.get("a/b") is NotRead.MISSING


@pytest.mark.parametrize("path", UNSAFE, ids=repr)
def test_no_path_leaves_its_container(container: Container, path: str) -> None:
    """Reading, writing and deleting all refuse it."""
    calls: list[Callable[[], object]] = [
        lambda: container.get(path),
        lambda: container.put(path, b"x"),
        lambda: container.delete(path),
    ]
    for call in calls:
        with pytest.raises(UnsafePathError):
            call()


def test_containers_are_kept_apart(storage: Storage) -> None:
    """One path in two containers is two files."""
    one, two = (storage.container(f"apart-{uuid4().hex[:8]}") for _ in range(2))
    one.put("a", b"1")
    assert two.get("a") is NotRead.MISSING
    assert list(two.list()) == []


@pytest.mark.parametrize(
    ("environ", "kind"),
    [
        ({}, FolderStorage),
        ({"STORAGE_ACCOUNT_NAME": "readings"}, BlobStorage),
        ({"STORAGE_CONNECTION_STRING": "UseDevelopmentStorage=true"}, BlobStorage),
    ],
    ids=["neither", "account", "connection string"],
)
def test_settings_choose_the_storage(environ: dict[str, str], kind: type) -> None:
    """Blob Storage where it is set, else folders; nothing is contacted yet."""
    assert type(open_storage(load_settings(environ))) is kind
