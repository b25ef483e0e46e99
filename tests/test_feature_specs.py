"""Tests of replay.feature_specs: the features file, good or refused."""

from pathlib import Path

import msgspec
import pytest

from replay.recordings import reading_bodies
from replay.simulation import FeaturesFileError, load_features, simulate


def test_a_feature_needs_only_mean_and_spread(tmp_path: Path) -> None:
    """A table added to the file is simulated, anomalies included, with no other edit."""
    file = tmp_path / "features.toml"
    default = (Path("replay") / "features.toml").read_text(encoding="utf-8")
    file.write_text(default + "\n[features.pressure]\nmean = 3.1\nspread = 0.2\n")
    recording = simulate(load_features(file), 3, 5000)
    assert recording.choice.features == ("temperature", "humidity", "noise", "pressure")
    assert recording.X[:, 3].mean() == pytest.approx(3.1, abs=0.5)
    assert 3 in recording.columns
    assert "pressure" in msgspec.json.decode(next(reading_bodies(recording)))


@pytest.mark.parametrize(
    ("content", "field", "words"),
    [
        pytest.param("[features.a]\nmean=1", "features.a", "`spread`", id="missing"),
        pytest.param(
            "[features.a]\nmean=1\nspread=0", "features.a.spread", "> 0", id="zero spread"
        ),
        pytest.param("[features.a]\nmean='x'\nspread=1", "features.a.mean", "float", id="text"),
        pytest.param("[features.a]\nmaen=1", "features.a", "`maen`", id="typing error"),
        pytest.param(
            "[features.a]\nmean=1\nspread=1\nminimum=2", "features.a", "mean: must lie", id="bounds"
        ),
        pytest.param("[features.time]\nmean=1\nspread=1", "features.time", "name", id="taken name"),
        pytest.param("[features]\na = 1", "features", "object", id="no table"),
        pytest.param("", "features", "no table such as", id="empty"),
        pytest.param("[feature.a]\nmean=1\nspread=1", "feature", "no such table", id="other table"),
        pytest.param("features = [", "file", "no TOML", id="no TOML"),
        pytest.param(
            "[features.a]\nmean=1\nspread=1\n[anomalies.blip]\nrate=0.1\nduration_s=[1,2]",
            "anomalies.blip.kind",
            "blip",
            id="unknown kind",
        ),
        pytest.param(
            "[features.a]\nmean=1\nspread=1\n[anomalies.stuck]\nrate=0.1\nduration_s=[3,2]",
            "anomalies.stuck",
            "duration_s",
            id="duration reversed",
        ),
        pytest.param(
            "[features.a]\nmean=1\nspread=1\n[anomalies.stuck]\nrate=0.6\nduration_s=[1,2]\n"
            "[anomalies.spike]\nrate=0.6\nduration_s=[1,2]\nsize=[1,2]",
            "anomalies",
            "below 1",
            id="rates",
        ),
    ],
)
def test_a_bad_features_file_is_refused_naming_the_field(
    tmp_path: Path, content: str, field: str, words: str
) -> None:
    """The message says where and what."""
    file = tmp_path / "mine.toml"
    file.write_text(content)
    with pytest.raises(FeaturesFileError, match=r"mine\.toml") as caught:
        load_features(file)
    assert caught.value.field == field
    assert words in str(caught.value)
