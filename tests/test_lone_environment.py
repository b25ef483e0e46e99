"""Tests of local.lone_environment: the deployed requirements alone."""

import shutil
from pathlib import Path

import pytest

from local.lone_environment import LoneEnvironmentError, lone_environment

ROOT = Path(__file__).parents[1]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a project with nothing to deploy and nothing beside it."""
    root = tmp_path / "project"
    root.mkdir()
    for name in ("requirements.txt", "requirements-dev.txt", "requirements-runtime.txt"):
        (root / name).write_text("# nothing\n")
    return root


def test_a_requirement_that_cannot_be_installed_is_named(project: Path, tmp_path: Path) -> None:
    """With what pip said; the next call tries again instead of using half of it."""
    (project / "requirements.txt").write_text("./absent-1.0-py3-none-any.whl  # reason\n")
    for _ in range(2):
        with pytest.raises(LoneEnvironmentError, match=r"absent-1\.0"):
            lone_environment(project, tmp_path / "made")
    assert not list((tmp_path / "made").glob("*/complete"))


@pytest.fixture
def pip_calls(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Note what would be run, and run nothing."""
    calls: list[list[str]] = []

    def run(command: list[str]) -> None:
        calls.append(command)
        if "venv" in command:
            Path(command[-1]).mkdir(parents=True, exist_ok=True)

    monkeypatch.setattr("local.lone_environment._run", run)
    return calls


def test_it_is_made_once_for_each_content(
    project: Path, tmp_path: Path, pip_calls: list[list[str]]
) -> None:
    """A comment changes nothing; another version does."""
    first = lone_environment(project, tmp_path)
    once = len(pip_calls)
    (project / "requirements.txt").write_text("# another comment\n")
    assert lone_environment(project, tmp_path) == first
    assert len(pip_calls) == once
    (project / "requirements.txt").write_text("numpy==0.0.1\n")
    assert lone_environment(project, tmp_path) != first
    assert len(pip_calls) == 2 * once


def test_the_runtime_library_lies_beside_with_the_pins_of_the_project(
    tmp_path: Path, pip_calls: list[list[str]]
) -> None:
    """Not among what is deployed: on Azure the worker brings it."""
    root = tmp_path / "project"
    root.mkdir()
    for name in ("requirements.txt", "requirements-dev.txt", "requirements-runtime.txt"):
        shutil.copy(ROOT / name, root)
    runtime = lone_environment(root, tmp_path).runtime
    _, deployed, beside = pip_calls
    assert deployed[-2:] == ["-r", str(root / "requirements.txt")]
    assert beside[beside.index("--target") + 1] == str(runtime)
    pins = beside[beside.index("--target") + 2 :]
    assert [pin.split("==")[0] for pin in pins] == [
        "azure-functions-runtime",
        "azure-functions-runtime-v1",
        "azurefunctions-extensions-base",
        "protobuf",
        "grpcio",
    ]
