"""Tests of scoring.registry: versions never change, and publishing is one atomic write."""

import hashlib
import io
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import joblib
import msgspec
import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

from scoring.errors import ArtifactRejectedError
from scoring.registry import BareFile, Current, Fetched, LoadOptions, Registry, beside_path
from scoring.storage import BlobStorage, Container, Entry, FolderStorage, NotRead, Stored
from tests.small_models import normal_readings, publish_broken, small_model
from training.calibration import calibrate_artifact

if TYPE_CHECKING:
    from local.azurite import Azurite
    from scoring.artifacts import LoadedModel
    from scoring.manifest import Manifest

ONE, TWO = small_model(seed=1), small_model(seed=2)
replace = msgspec.structs.replace


@pytest.fixture(params=["folder", "blob"])
def container(request: pytest.FixtureRequest, tmp_path: Path) -> Container:
    """Return an empty container, of each kind in turn."""
    if request.param == "folder":
        return FolderStorage(tmp_path).container("models")
    azurite: Azurite = request.getfixturevalue("azurite")
    storage = BlobStorage(connection_string=azurite.connection_string)
    return storage.container(f"registry-{uuid4().hex[:12]}")


@pytest.fixture
def folder(tmp_path: Path) -> Container:
    """Return an empty folder container."""
    return FolderStorage(tmp_path).container("models")


def fetched(found: Fetched | NotRead) -> Fetched:
    """Return a new version; nothing else is expected."""
    assert isinstance(found, Fetched)
    return found


def test_a_published_version_is_current(container: Container) -> None:
    """It is found, loaded, and scores as it was fitted."""
    registry = Registry(container)
    assert registry.fetch("default", None) is NotRead.MISSING
    registry.publish(ONE.manifest, ONE.data)
    found = fetched(registry.fetch("default", None))
    assert found.version == ONE.manifest.version
    model = found.load()
    assert (model.name, model.version) == ("default", ONE.manifest.version)
    golden = ONE.manifest.golden
    assert golden is not None
    assert np.allclose(model.score(np.array(golden.rows)), golden.scores)


def test_a_look_costs_nothing_until_something_changes(container: Container) -> None:
    """Under the known tag there is nothing to fetch; the next version is."""
    registry = Registry(container)
    registry.publish(ONE.manifest, ONE.data)
    tag = fetched(registry.fetch("default", None)).tag
    assert registry.fetch("default", tag) is NotRead.UNCHANGED
    registry.publish(TWO.manifest, TWO.data)
    assert fetched(registry.fetch("default", tag)).version == TWO.manifest.version
    assert registry.current("default") == Current(TWO.manifest.version, ONE.manifest.version)


class Recorder:
    """A container that notes every write, and stops after a few."""

    def __init__(self, inner: Container, most: int = 99) -> None:
        self.name = inner.name
        self.written: list[str] = []
        self._inner, self._most = inner, most

    def get(self, path: str, *, known_etag: str | None = None) -> Stored | NotRead:
        """Pass the read on."""
        return self._inner.get(path, known_etag=known_etag)

    def put(self, path: str, data: bytes, **conditions: Any) -> str:
        """Note the write and pass it on, or fail as a killed publisher does."""
        if len(self.written) >= self._most:
            raise KeyboardInterrupt
        self.written.append(path)
        return self._inner.put(path, data, **conditions)

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Pass the listing on."""
        return self._inner.list(prefix)

    def delete(self, path: str) -> None:
        """Pass the deletion on."""
        self._inner.delete(path)


def test_the_pointer_is_written_last(folder: Container) -> None:
    """A reader sees the version before or the version after, never half of one."""
    recorder = Recorder(folder)
    Registry(recorder).publish(ONE.manifest, ONE.data)
    names = [path.rpartition("/")[2] for path in recorder.written]
    assert names == ["model.joblib", "manifest.json", "current.json"]


@pytest.mark.parametrize("most", [0, 1, 2])
def test_a_publication_that_broke_off_changes_nothing_and_can_be_repeated(
    folder: Container, most: int
) -> None:
    """Whatever was written before the kill; the version before stays in use."""
    Registry(folder).publish(ONE.manifest, ONE.data)
    with pytest.raises(KeyboardInterrupt):
        Registry(Recorder(folder, most)).publish(TWO.manifest, TWO.data)
    assert fetched(Registry(folder).fetch("default", None)).load().version == ONE.manifest.version
    Registry(folder).publish(TWO.manifest, TWO.data)
    assert fetched(Registry(folder).fetch("default", None)).load().version == TWO.manifest.version


def test_publishing_again_changes_nothing(container: Container) -> None:
    """Neither the files nor what was current before."""
    registry = Registry(container)
    registry.publish(ONE.manifest, ONE.data)
    registry.publish(TWO.manifest, TWO.data)
    before = container.get("default/current.json")
    registry.publish(TWO.manifest, TWO.data)
    assert container.get("default/current.json") == before


def test_a_version_is_never_replaced(container: Container) -> None:
    """Another model under its name is refused, and the first one stays."""
    registry = Registry(container)
    registry.publish(ONE.manifest, ONE.data)
    other = replace(TWO.manifest, version=ONE.manifest.version)
    with pytest.raises(ArtifactRejectedError, match="another model already has this version"):
        registry.publish(other, TWO.data)
    model = registry.load("default", ONE.manifest.version)
    assert model.version == ONE.manifest.version


def test_publishers_at_the_same_time_all_succeed(folder: Container) -> None:
    """Each version is there, and the pointer names two of them, one after the other."""
    artifacts = [small_model(seed=seed) for seed in range(3, 7)]
    start = threading.Barrier(len(artifacts))
    failed: list[BaseException] = []

    def publish(number: int) -> None:
        start.wait()
        try:
            Registry(folder).publish(artifacts[number].manifest, artifacts[number].data)
        except BaseException as error:  # noqa: BLE001  # shown by the assertion below
            failed.append(error)

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    versions = {artifact.manifest.version for artifact in artifacts}
    current = Registry(folder).current("default")
    assert current is not None
    assert {current.version, current.previous} < versions
    for version in versions:
        Registry(folder).load("default", version)


@pytest.mark.parametrize("name", ["", "..", ".", "a/b", "../a", "a\\b", "a" * 65, "é", "a\n"])
def test_a_name_cannot_be_a_way_out(folder: Container, name: str) -> None:
    """Neither as a model's name nor as a version; nothing is written."""
    for manifest in (replace(ONE.manifest, name=name), replace(ONE.manifest, version=name)):
        with pytest.raises(ArtifactRejectedError, match="its name is not usable"):
            Registry(folder).publish(manifest, ONE.data)
    assert list(folder.list()) == []


def test_no_version_is_called_like_the_pointer(folder: Container) -> None:
    """Its folder would stand where the pointer has to."""
    with pytest.raises(ArtifactRejectedError, match="its name is not usable"):
        Registry(folder).publish(replace(ONE.manifest, version="current.json"), ONE.data)


def test_what_does_not_load_is_not_published(folder: Container) -> None:
    """The publisher hears of it, and no scorer ever meets it."""
    with pytest.raises(ArtifactRejectedError, match="SHA-256 differs"):
        Registry(folder).publish(ONE.manifest, ONE.data + b"x")
    assert list(folder.list()) == []


def test_a_version_broken_in_storage_is_refused_with_the_reason(container: Container) -> None:
    """Looking is not loading: the cache learns which version it is first."""
    version = publish_broken(container)
    found = fetched(Registry(container).fetch("default", None))
    assert found.version == version
    with pytest.raises(ArtifactRejectedError, match=f"default/{version} refused: model.joblib is"):
        found.load()


@pytest.mark.parametrize("file", ["model.joblib", "manifest.json"])
def test_an_incomplete_version_is_refused(folder: Container, file: str) -> None:
    """Naming the file that is missing."""
    registry = Registry(folder)
    registry.publish(ONE.manifest, ONE.data)
    folder.delete(f"default/{ONE.manifest.version}/{file}")
    with pytest.raises(ArtifactRejectedError, match=f"{file} is missing"):
        registry.load("default", ONE.manifest.version)


def test_a_manifest_of_another_version_is_refused(folder: Container) -> None:
    """A folder that was copied by hand would write the wrong version beside every score."""
    registry = Registry(folder)
    registry.publish(ONE.manifest, ONE.data)
    for file in ("model.joblib", "manifest.json"):
        found = folder.get(f"default/{ONE.manifest.version}/{file}")
        assert isinstance(found, Stored)
        folder.put(f"default/copy/{file}", found.data)
    with pytest.raises(ArtifactRejectedError, match=r"its manifest is that of default/"):
        registry.load("default", "copy")


@pytest.mark.parametrize(
    "pointer",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b'{"version":1}',
        b'{"version":".."}',
        b'{"version":"../other/1"}',
        b'{"version":"a/b"}',
        b'{"version":"%s"}' % (b"a" * 65),
        b'{"version":' + b"[" * 100_000,
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_pointer_that_is_none_is_refused(folder: Container, pointer: bytes) -> None:
    """Whoever may write a file must not choose a path, nor end the process."""
    folder.put("default/current.json", pointer)
    with pytest.raises(ArtifactRejectedError, match=r"default/current\.json"):
        Registry(folder).fetch("default", None)


def test_a_pointer_to_the_pointer_is_refused(folder: Container) -> None:
    """A version that cannot be there is missing, as any other."""
    folder.put("default/current.json", b'{"version":"current.json"}')
    with pytest.raises(ArtifactRejectedError, match=r"manifest\.json is missing"):
        fetched(Registry(folder).fetch("default", None)).load()


def bare_bytes(seed: int) -> bytes:
    """Return a model file as a team has it today."""
    estimator = IsolationForest(n_estimators=5, random_state=seed).fit(normal_readings(100))
    file = io.BytesIO()
    joblib.dump(estimator, file)
    return file.getvalue()


def beside(data: bytes) -> bytes:
    """Return the manifest that `calibrate` writes beside the file."""
    names = ("feature_1", "feature_2", "feature_3")
    manifest: Manifest = calibrate_artifact(
        data, "m.joblib", normal_readings(100), names, source="x.csv"
    )
    return msgspec.json.encode(manifest)


FILES = [bare_bytes(1), bare_bytes(2)]
PATH = "teams/iforest.joblib"


def test_a_bare_file_is_the_model(container: Container) -> None:
    """Under the name of the setting, with the start of its SHA-256 as version."""
    source = BareFile(container, PATH)
    assert source.fetch("pumps", None) is NotRead.MISSING
    container.put(PATH, FILES[0])
    found = fetched(source.fetch("pumps", None))
    model = found.load()
    assert model.name == "pumps"
    assert model.version == found.version == hashlib.sha256(FILES[0]).hexdigest()[:12]
    assert model.calibration is None


Change = Callable[[Container], object]
CHANGES: dict[str, Change] = {
    "another file": lambda container: container.put(PATH, FILES[1]),
    "a manifest beside it": lambda container: container.put(beside_path(PATH), beside(FILES[0])),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_of_a_bare_file_or_its_manifest_is_seen(
    container: Container, change: Change
) -> None:
    """And nothing else is: under the known tag there is nothing to fetch."""
    container.put(PATH, FILES[0])
    source = BareFile(container, PATH)
    tag = fetched(source.fetch("m", None)).tag
    assert source.fetch("m", tag) is NotRead.UNCHANGED
    change(container)
    tag = fetched(source.fetch("m", tag)).tag
    assert source.fetch("m", tag) is NotRead.UNCHANGED


def test_a_manifest_beside_a_bare_file_adds_what_it_lacks(container: Container) -> None:
    """Until it is deleted; a new file makes it the manifest of another one."""
    container.put(PATH, FILES[0])
    container.put(beside_path(PATH), beside(FILES[0]))
    source = BareFile(container, PATH)
    first = fetched(source.fetch("m", None))
    assert first.load().calibration is not None
    container.put(PATH, FILES[1])
    second = fetched(source.fetch("m", first.tag))
    assert second.load().calibration is None
    assert any("of another file" in note for note in second.load().notes)
    container.delete(beside_path(PATH))
    assert fetched(source.fetch("m", second.tag)).load().notes == ()


def test_a_deleted_bare_file_is_missing(folder: Container) -> None:
    """Its manifest alone is no model."""
    folder.put(PATH, FILES[0])
    folder.put(beside_path(PATH), beside(FILES[0]))
    tag = fetched(BareFile(folder, PATH).fetch("m", None)).tag
    folder.delete(PATH)
    assert BareFile(folder, PATH).fetch("m", tag) is NotRead.MISSING
    assert BareFile(folder, PATH).fetch("m", None) is NotRead.MISSING


def test_a_broken_manifest_beside_a_bare_file_is_refused(folder: Container) -> None:
    """Scoring without the threshold that it holds would be another model."""
    folder.put(PATH, FILES[0])
    folder.put(beside_path(PATH), b"{")
    with pytest.raises(ArtifactRejectedError, match=r"iforest\.joblib\.manifest\.json"):
        fetched(BareFile(folder, PATH).fetch("m", None)).load()


def test_load_options_reach_the_file(folder: Container) -> None:
    """Settings name the features of a file that does not."""
    folder.put(PATH, FILES[0])
    options = LoadOptions(feature_keys=("a", "b", "c"))
    model: LoadedModel = fetched(BareFile(folder, PATH, options).fetch("m", None)).load()
    assert model.features == ("a", "b", "c")


@pytest.mark.parametrize(
    "pointer",
    [
        b'{"version":"\xff"}',
        b'{"x":' + b"[" * 100_000,
        b'{"version":"../v1"}',
        b'{"version":"a\\u0000"}',
    ],
    ids=["not UTF-8", "nested without end", "a way out", "NUL"],
)
def test_a_damaged_pointer_is_one_clear_error(folder: Container, pointer: bytes) -> None:
    """Whatever stands in it; the model before it goes on scoring."""
    folder.put("default/current.json", pointer)
    with pytest.raises(ArtifactRejectedError, match="publish the model again"):
        Registry(folder).fetch("default", None)
