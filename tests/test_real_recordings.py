"""Real recordings score alike on the fast path and in scikit-learn."""

from pathlib import Path

import numpy as np
import pytest

from replay.recordings import read_recording, split_early
from scoring.artifacts import load_published
from scoring.features import usable_rows
from training.estimators import FitOptions
from training.fitting import fit

DATA = Path(__file__).parents[2] / "shared" / "data"
RECORDINGS = {
    "C-MAPSS": DATA / "cmapss" / "train_FD001.csv",
    "SKAB": DATA / "skab" / "valve1" / "0.csv",
}


@pytest.mark.parametrize("name", RECORDINGS)
@pytest.mark.parametrize("scaler", ["none", "standard", "robust", "min_max"])
def test_the_fast_path_scores_as_scikit_learn(name: str, scaler: str) -> None:
    """Every reading that is streamed, within 1e-12, and by the flat forest."""
    path = RECORDINGS[name]
    if not path.exists():
        pytest.skip("the real recordings are not beside the project")
    recording = read_recording(path)
    early, rest = split_early(recording)
    artifact = fit(
        recording.X[early],
        recording.choice.features,
        FitOptions(scaler=scaler),
        name="default",
        source=path.name,
    )
    model = load_published(artifact.data, artifact.manifest, trusted=frozenset(), feature_keys=None)
    X = recording.X[rest]
    X = X[usable_rows(X)]
    assert len(X) > 700
    expected = model.estimator.decision_function(X)
    found = model.score(X)
    assert found is not expected
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    assert "flat_scoring" in _origin(model.score)


def _origin(score: object) -> str:
    """Name the modules of the functions that a score is made of."""
    inner = [cell.cell_contents for cell in getattr(score, "__closure__", None) or ()]
    scorers = [getattr(one, "score", None) for one in inner]
    return " ".join(str(getattr(one, "__module__", "")) for one in scorers)
