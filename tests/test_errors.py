"""Tests of scoring.errors: whose fault it is, and what to do."""

import pytest

from scoring import errors

RAISED = [
    errors.ReadingRejectedError("missing_feature", "the model needs feature 'noise'", "noise"),
    errors.SinkUnavailableError("influxdb", "answered 404", "create the bucket"),
    errors.StorageUnavailableError("models", "a/b", "timed out"),
    errors.ModelUnavailableError("pumps", "there is no version of it; publish one"),
    errors.ArtifactRejectedError("pumps/1", "holds os.system", "fit it again"),
    errors.FeatureMismatchError(3, 2),
    errors.SettingsError(["MODEL_NAME: set it"]),
]


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_every_error_grows_from_one_root(error: Exception) -> None:
    """A caller can tell what this project raises on purpose from everything else."""
    assert isinstance(error, errors.ScoringError)


@pytest.mark.parametrize(
    ("error", "facts"),
    [
        (RAISED[1], ("influxdb", "answered 404", "create the bucket")),
        (RAISED[2], ("models/a/b", "timed out", "check the storage account")),
        (RAISED[3], ("pumps", "no version", "publish one")),
        (RAISED[4], ("pumps/1", "os.system", "fit it again")),
        (RAISED[5], ("3", "2", "scoring.features")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_message_says_what_was_found_and_what_to_do(
    error: Exception, facts: tuple[str, ...]
) -> None:
    """A constructor takes facts and builds the whole message."""
    assert all(fact in str(error) for fact in facts)


def test_a_settings_error_holds_every_problem() -> None:
    """Problems are kept apart for health and together for the log."""
    error = errors.SettingsError(["A: set it", "B: set it"])
    assert error.problems == ("A: set it", "B: set it")
    assert "A: set it" in str(error)
    assert "B: set it" in str(error)


def test_an_artifact_cannot_break_a_log() -> None:
    """Names and values in a hostile file may be megabytes long, or hold line breaks."""
    error = errors.ArtifactRejectedError("a/1", "holds x\n2026 ERROR \x1b[31m" + "y" * 10**6, "see")
    assert str(error).isprintable()
    assert len(str(error)) < 1_000
