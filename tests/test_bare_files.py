"""Tests of scoring.registry: one file is the model, until another takes its place."""

import hashlib
import io
from collections.abc import Callable
from typing import TYPE_CHECKING

import joblib
import msgspec
import pytest
from sklearn.ensemble import IsolationForest

from scoring.errors import ArtifactRejectedError
from scoring.registry import BareFile, LoadOptions, beside_path
from scoring.storage import Container, NotRead
from tests.fetched_versions import fetched
from tests.small_models import normal_readings
from training.calibration import calibrate_artifact

if TYPE_CHECKING:
    from scoring.artifacts import LoadedModel
    from scoring.manifest import Manifest

pytest_plugins = ["tests.registry_fixtures"]


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


def test_a_bare_file_is_the_model(models: Container) -> None:
    """Under the name of the setting, with the start of its SHA-256 as version."""
    source = BareFile(models, PATH)
    assert source.fetch("pumps", None) is NotRead.MISSING
    models.put(PATH, FILES[0])
    found = fetched(source.fetch("pumps", None))
    model = found.load()
    assert model.name == "pumps"
    assert model.version == found.version == hashlib.sha256(FILES[0]).hexdigest()[:12]
    assert model.calibration is None


Change = Callable[[Container], object]
CHANGES: dict[str, Change] = {
    "another file": lambda models: models.put(PATH, FILES[1]),
    "a manifest beside it": lambda models: models.put(beside_path(PATH), beside(FILES[0])),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_of_a_bare_file_or_its_manifest_is_seen(models: Container, change: Change) -> None:
    """And nothing else is: under the known tag there is nothing to fetch."""
    models.put(PATH, FILES[0])
    source = BareFile(models, PATH)
    tag = fetched(source.fetch("m", None)).tag
    assert source.fetch("m", tag) is NotRead.UNCHANGED
    change(models)
    tag = fetched(source.fetch("m", tag)).tag
    assert source.fetch("m", tag) is NotRead.UNCHANGED


def test_a_manifest_beside_a_bare_file_adds_what_it_lacks(models: Container) -> None:
    """Until it is deleted; a new file makes it the manifest of another one."""
    models.put(PATH, FILES[0])
    models.put(beside_path(PATH), beside(FILES[0]))
    source = BareFile(models, PATH)
    first = fetched(source.fetch("m", None))
    assert first.load().calibration is not None
    models.put(PATH, FILES[1])
    second = fetched(source.fetch("m", first.tag))
    assert second.load().calibration is None
    assert any("of another file" in note for note in second.load().notes)
    models.delete(beside_path(PATH))
    assert fetched(source.fetch("m", second.tag)).load().notes == ()


def test_a_deleted_bare_file_is_missing(models_folder: Container) -> None:
    """Its manifest alone is no model."""
    models_folder.put(PATH, FILES[0])
    models_folder.put(beside_path(PATH), beside(FILES[0]))
    tag = fetched(BareFile(models_folder, PATH).fetch("m", None)).tag
    models_folder.delete(PATH)
    assert BareFile(models_folder, PATH).fetch("m", tag) is NotRead.MISSING
    assert BareFile(models_folder, PATH).fetch("m", None) is NotRead.MISSING


def test_a_broken_manifest_beside_a_bare_file_is_refused(models_folder: Container) -> None:
    """Scoring without the threshold that it holds would be another model."""
    models_folder.put(PATH, FILES[0])
    models_folder.put(beside_path(PATH), b"{")
    with pytest.raises(ArtifactRejectedError, match=r"iforest\.joblib\.manifest\.json"):
        fetched(BareFile(models_folder, PATH).fetch("m", None)).load()


def test_load_options_reach_the_file(models_folder: Container) -> None:
    """Settings name the features of a file that does not."""
    models_folder.put(PATH, FILES[0])
    options = LoadOptions(feature_keys=("a", "b", "c"))
    model: LoadedModel = fetched(BareFile(models_folder, PATH, options).fetch("m", None)).load()
    assert model.features == ("a", "b", "c")
