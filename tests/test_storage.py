"""Tests of scoring.storage: one contract for the folder and for Blob Storage (Azurite)."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from local.azurite import Azurite, Ports, connection_string
from scoring.errors import StorageUnavailableError
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

ROOT = Path(__file__).parents[1]
UNSAFE = ["", "..", "../a", "a/../../b", "/a", "a//b", "a/./b", "a\\b", "a\x00b", "a/", "a\nb"]


@pytest.fixture(params=["folder", "blob"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """Return an empty place for containers, of each kind in turn."""
    if request.param == "folder":
        return FolderStorage(tmp_path)
    azurite: Azurite = request.getfixturevalue("azurite")
    return BlobStorage(connection_string=azurite.connection_string)


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


def test_a_killed_write_leaves_nothing_to_be_seen(tmp_path: Path) -> None:
    """A process killed between writing and renaming leaves a file that nobody lists or reads."""
    script = (
        "import os, sys, pathlib\n"
        "from scoring.storage import FolderStorage\n"
        "pathlib.Path.replace = lambda *_: os._exit(9)\n"
        "FolderStorage(pathlib.Path(sys.argv[1])).container('models').put('a/b', b'new')\n"
    )
    container = FolderStorage(tmp_path).container("models")
    container.put("a/b", b"old")
    ended = subprocess.run([sys.executable, "-c", script, tmp_path], cwd=ROOT, check=False)
    assert ended.returncode == 9
    assert len(list((tmp_path / "models" / "a").iterdir())) == 2
    assert [entry.path for entry in container.list()] == ["a/b"]
    found = container.get("a/b")
    assert isinstance(found, Stored)
    assert found.data == b"old"


RACE = """
import sys, time, pathlib
from scoring.storage import ConditionNotMetError, FolderStorage
container = FolderStorage(pathlib.Path(sys.argv[1])).container("race")
while time.time() < float(sys.argv[2]):
    pass
won = 0
for number in range(30):
    try:
        container.put(f"only/{number}", sys.argv[3].encode(), only_if_absent=True)
        won += 1
    except ConditionNotMetError:
        pass
    while True:
        found = container.get("count")
        try:
            container.put("count", str(int(found.data) + 1).encode(), if_etag=found.etag)
            break
        except ConditionNotMetError:
            continue
print(won)
"""


def test_two_processes_never_both_win(tmp_path: Path) -> None:
    """Of two processes that write under a condition exactly one does, every time."""
    container = FolderStorage(tmp_path).container("race")
    container.put("count", b"0")
    start = str(time.time() + 1.5)
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, tmp_path, start, name], cwd=ROOT, stdout=subprocess.PIPE
        )
        for name in ("one", "two")
    ]
    won = [int(racer.communicate(timeout=60)[0]) for racer in racers]
    assert sum(won) == 30
    count = container.get("count")
    assert isinstance(count, Stored)
    assert count.data == b"60"


def test_a_folder_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    """What may heal has its own error, naming container and path."""
    (tmp_path / "models").write_bytes(b"a file where the folder should be")
    with pytest.raises(StorageUnavailableError, match="models/a/b"):
        FolderStorage(tmp_path).container("models").put("a/b", b"1")


def test_the_development_storage_is_azurite() -> None:
    """The short connection string stands for the emulator's usual ports and its public key."""
    short = BlobStorage(connection_string="UseDevelopmentStorage=true").service()
    long = BlobStorage(connection_string=connection_string(Ports())).service()
    assert short.url.rstrip("/") == long.url.rstrip("/")
    assert short.credential.account_key == long.credential.account_key


@pytest.mark.parametrize("call", ["get", "put", "list", "delete"])
def test_a_malformed_connection_string_is_told_on_use(call: str) -> None:
    """Building the app must not fail; using the storage says what is wrong."""
    container = BlobStorage(connection_string="nonsense").container("models")
    calls: dict[str, Callable[[], object]] = {
        "get": lambda: container.get("a"),
        "put": lambda: container.put("a", b""),
        "list": lambda: list(container.list()),
        "delete": lambda: container.delete("a"),
    }
    with pytest.raises(StorageUnavailableError, match="malformed"):
        calls[call]()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Return a port that refuses: it is bound, and nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_an_unreachable_store_is_given_up_soon(closed_port: int) -> None:
    """A batch waits for the first model: the error comes within seconds, after a few attempts."""
    text = connection_string(Ports(blob=closed_port))
    began = time.monotonic()
    with pytest.raises(StorageUnavailableError, match="models/current"):
        BlobStorage(connection_string=text).container("models").get("current.json")
    assert time.monotonic() - began < 20


def test_a_wrong_key_is_unavailable(azurite: Azurite) -> None:
    """Being turned away is told like being unreachable, with the service's own code."""
    key = connection_string(Ports()).partition("AccountKey=")[2].partition(";")[0]
    text = azurite.connection_string.replace(key, "bm90IHRoZSBrZXk=")
    with pytest.raises(StorageUnavailableError, match="AuthorizationFailure"):
        BlobStorage(connection_string=text).container("models").get("a")


def test_by_identity_no_container_is_made(azurite: Azurite) -> None:
    """The deployment makes containers; an app with an identity has no right to."""
    from scoring.storage.blob import BlobContainer

    storage = BlobStorage(connection_string=azurite.connection_string)
    container = BlobContainer(f"none-{uuid4().hex[:8]}", storage, may_create=False)
    with pytest.raises(StorageUnavailableError, match="does not exist"):
        container.put("a", b"1")
    assert container.get("a") is NotRead.MISSING


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
