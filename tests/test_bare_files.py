"""Tests of scoring.registry: one file is the model, until another takes its place."""

import hashlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import joblib
import msgspec
import pytest
from sklearn.ensemble import IsolationForest

from scoring.errors import ArtifactRejectedError
from scoring.registry import BareFile, LoadOptions, beside_path
from scoring.storage import Container, FolderStorage, NotRead
from tests.fetched_versions import fetched
from tests.kinds_of_storage import container_of
from tests.small_models import normal_readings
from training.calibration import calibrate_artifact

if TYPE_CHECKING:
    from scoring.artifacts import LoadedModel
    from scoring.manifest import Manifest


@pytest.fixture(params=["folder", "blob"])
def container(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Container]:
    """Return an empty container, of each kind in turn."""
    with container_of(request, tmp_path) as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Container:
    """Return an empty folder container."""
    return FolderStorage(tmp_path).container("models")


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
