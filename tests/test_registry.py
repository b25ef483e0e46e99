"""Tests of scoring.registry: versions never change, and publishing is one atomic write."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec
import numpy as np
import pytest

from scoring.errors import ArtifactRejectedError
from scoring.registry import Current, Registry
from scoring.storage import Container, Entry, NotRead, Stored
from tests.at_once import at_once
from tests.fetched_versions import fetched
from tests.small_models import publish_broken, small_model

pytest_plugins = ["tests.registry_fixtures"]

ONE, TWO = small_model(seed=1), small_model(seed=2)
replace = msgspec.structs.replace


def test_a_published_version_is_current(models: Container) -> None:
    """It is found, loaded, and scores as it was fitted."""
    registry = Registry(models)
    assert registry.fetch("default", None) is NotRead.MISSING
    registry.publish(ONE.manifest, ONE.data)
    found = fetched(registry.fetch("default", None))
    assert found.version == ONE.manifest.version
    model = found.load()
    assert (model.name, model.version) == ("default", ONE.manifest.version)
    golden = ONE.manifest.golden
    assert golden is not None
    assert np.allclose(model.score(np.array(golden.rows)), golden.scores)


def test_a_look_costs_nothing_until_something_changes(models: Container) -> None:
    """Under the known tag there is nothing to fetch; the next version is."""
    registry = Registry(models)
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


def test_the_pointer_is_written_last(models_folder: Container) -> None:
    """A reader sees the version before or the version after, never half of one."""
    recorder = Recorder(models_folder)
    Registry(recorder).publish(ONE.manifest, ONE.data)
    names = [path.rpartition("/")[2] for path in recorder.written]
    assert names == ["model.joblib", "manifest.json", "current.json"]


@pytest.mark.parametrize("most", [0, 1, 2])
def test_a_publication_that_broke_off_changes_nothing_and_can_be_repeated(
    models_folder: Container, most: int
) -> None:
    """Whatever was written before the kill; the version before stays in use."""
    Registry(models_folder).publish(ONE.manifest, ONE.data)
    with pytest.raises(KeyboardInterrupt):
        Registry(Recorder(models_folder, most)).publish(TWO.manifest, TWO.data)
    assert (
        fetched(Registry(models_folder).fetch("default", None)).load().version
        == ONE.manifest.version
    )
    Registry(models_folder).publish(TWO.manifest, TWO.data)
    assert (
        fetched(Registry(models_folder).fetch("default", None)).load().version
        == TWO.manifest.version
    )


def test_publishing_again_changes_nothing(models: Container) -> None:
    """Neither the files nor what was current before."""
    registry = Registry(models)
    registry.publish(ONE.manifest, ONE.data)
    registry.publish(TWO.manifest, TWO.data)
    before = models.get("default/current.json")
    registry.publish(TWO.manifest, TWO.data)
    assert models.get("default/current.json") == before


def test_a_version_is_never_replaced(models: Container) -> None:
    """Another model under its name is refused, and the first one stays."""
    registry = Registry(models)
    registry.publish(ONE.manifest, ONE.data)
    other = replace(TWO.manifest, version=ONE.manifest.version)
    with pytest.raises(ArtifactRejectedError, match="another model already has this version"):
        registry.publish(other, TWO.data)
    model = registry.load("default", ONE.manifest.version)
    assert model.version == ONE.manifest.version


def test_publishers_at_the_same_time_all_succeed(models_folder: Container) -> None:
    """Each version is there, and the pointer names two of them, one after the other."""
    artifacts = [small_model(seed=seed) for seed in range(3, 7)]
    at_once([partial(Registry(models_folder).publish, one.manifest, one.data) for one in artifacts])
    versions = {artifact.manifest.version for artifact in artifacts}
    current = Registry(models_folder).current("default")
    assert current is not None
    assert {current.version, current.previous} < versions
    for version in versions:
        Registry(models_folder).load("default", version)


@pytest.mark.parametrize("name", ["", "..", ".", "a/b", "../a", "a\\b", "a" * 65, "é", "a\n"])
def test_a_name_cannot_be_a_way_out(models_folder: Container, name: str) -> None:
    """Neither as a model's name nor as a version; nothing is written."""
    for manifest in (replace(ONE.manifest, name=name), replace(ONE.manifest, version=name)):
        with pytest.raises(ArtifactRejectedError, match="its name is not usable"):
            Registry(models_folder).publish(manifest, ONE.data)
    assert list(models_folder.list()) == []


def test_no_version_is_called_like_the_pointer(models_folder: Container) -> None:
    """Its folder would stand where the pointer has to."""
    with pytest.raises(ArtifactRejectedError, match="its name is not usable"):
        Registry(models_folder).publish(replace(ONE.manifest, version="current.json"), ONE.data)


def test_what_does_not_load_is_not_published(models_folder: Container) -> None:
    """The publisher hears of it, and no scorer ever meets it."""
    with pytest.raises(ArtifactRejectedError, match="SHA-256 differs"):
        Registry(models_folder).publish(ONE.manifest, ONE.data + b"x")
    assert list(models_folder.list()) == []


def test_a_version_broken_in_storage_is_refused_with_the_reason(models: Container) -> None:
    """Looking is not loading: the cache learns which version it is first."""
    version = publish_broken(models)
    found = fetched(Registry(models).fetch("default", None))
    assert found.version == version
    with pytest.raises(ArtifactRejectedError, match=f"default/{version} refused: model.joblib is"):
        found.load()


@pytest.mark.parametrize("file", ["model.joblib", "manifest.json"])
def test_an_incomplete_version_is_refused(models_folder: Container, file: str) -> None:
    """Naming the file that is missing."""
    registry = Registry(models_folder)
    registry.publish(ONE.manifest, ONE.data)
    models_folder.delete(f"default/{ONE.manifest.version}/{file}")
    with pytest.raises(ArtifactRejectedError, match=f"{file} is missing"):
        registry.load("default", ONE.manifest.version)


def test_a_manifest_of_another_version_is_refused(models_folder: Container) -> None:
    """A folder that was copied by hand would write the wrong version beside every score."""
    registry = Registry(models_folder)
    registry.publish(ONE.manifest, ONE.data)
    for file in ("model.joblib", "manifest.json"):
        found = models_folder.get(f"default/{ONE.manifest.version}/{file}")
        assert isinstance(found, Stored)
        models_folder.put(f"default/copy/{file}", found.data)
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
def test_a_pointer_that_is_none_is_refused(models_folder: Container, pointer: bytes) -> None:
    """Whoever may write a file must not choose a path, nor end the process."""
    models_folder.put("default/current.json", pointer)
    with pytest.raises(ArtifactRejectedError, match=r"default/current\.json"):
        Registry(models_folder).fetch("default", None)


def test_a_pointer_to_the_pointer_is_refused(models_folder: Container) -> None:
    """A version that cannot be there is missing, as any other."""
    models_folder.put("default/current.json", b'{"version":"current.json"}')
    with pytest.raises(ArtifactRejectedError, match=r"manifest\.json is missing"):
        fetched(Registry(models_folder).fetch("default", None)).load()


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
def test_a_damaged_pointer_is_one_clear_error(models_folder: Container, pointer: bytes) -> None:
    """Whatever stands in it; the model before it goes on scoring."""
    models_folder.put("default/current.json", pointer)
    with pytest.raises(ArtifactRejectedError, match="publish the model again"):
        Registry(models_folder).fetch("default", None)
