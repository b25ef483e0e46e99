"""Tests of local.package and local.deployed_files: the zip that is deployed."""

import os
import re
import shutil
import zipfile
from pathlib import Path

import pytest

from local.deployed_files import IgnoreFileError, deployed_files
from local.package import PackageError, StrayFilesError, main, write_package
from tests.deployed_files import ROOT


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a small project, with things around that must stay here."""
    root = tmp_path / "project"
    for name in (
        "function_app.py",
        "host.json",
        "requirements.txt",
        "scoring/app.py",
        "scoring/__pycache__/app.pyc",
        ".env",
        ".azure/plant/.env",
        "compose.yaml",
        "Dockerfile",
        ".venv/bin/python",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    shutil.copy(ROOT / ".funcignore", root)
    return root


def names(path: Path) -> list[str]:
    """List what a zip holds."""
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def test_the_zip_holds_what_is_deployed_at_its_root(project: Path, tmp_path: Path) -> None:
    """With `host.json` at the top: in a folder of its own no tool would find it."""
    package = write_package(project, tmp_path / "out" / "app.zip")
    expected = ["function_app.py", "host.json", "requirements.txt", "scoring/app.py"]
    assert names(package.path) == list(package.files) == expected
    assert package.n_bytes == package.path.stat().st_size
    assert package.n_unpacked == sum(len(name) for name in expected)


def test_the_same_files_give_the_same_bytes(project: Path, tmp_path: Path) -> None:
    """Times and rights of files here are no part of what is deployed."""
    first = write_package(project, tmp_path / "first.zip").path.read_bytes()
    for path in project.rglob("*.py"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
        path.chmod(0o700)
    assert write_package(project, tmp_path / "second.zip").path.read_bytes() == first
    with zipfile.ZipFile(tmp_path / "first.zip") as archive:
        found = {(one.date_time, one.external_attr >> 16) for one in archive.infolist()}
    assert found == {((1980, 1, 1, 0, 0, 0), 0o644)}


def test_another_file_gives_other_bytes(project: Path, tmp_path: Path) -> None:
    """The package follows its files."""
    first = write_package(project, tmp_path / "first.zip").path.read_bytes()
    (project / "scoring" / "app.py").write_text("other")
    assert write_package(project, tmp_path / "second.zip").path.read_bytes() != first


@pytest.mark.parametrize("name", ["function_app.py", "host.json", "requirements.txt"])
def test_a_package_without_what_every_app_needs_is_refused(project: Path, name: str) -> None:
    """It would deploy, and start without any function."""
    (project / name).unlink()
    with pytest.raises(PackageError, match=name):
        write_package(project, project.parent / "app.zip")


@pytest.mark.parametrize("name", ["notes.txt", "folder/manifest.json", "scoring/token.txt"])
def test_a_file_that_is_no_part_of_the_app_is_refused(project: Path, name: str) -> None:
    """By its name: nothing leaves this machine because it happened to lie there."""
    (project / name).parent.mkdir(exist_ok=True)
    (project / name).write_text("secret")
    with pytest.raises(StrayFilesError, match=f" {name} would be deployed"):
        write_package(project, project.parent / "app.zip")
    assert not (project.parent / "app.zip").exists()


def test_of_many_strange_files_a_few_are_named(project: Path) -> None:
    """Such as those of a whole virtual environment."""
    for number in range(7):
        (project / f"x{number}.txt").touch()
    with pytest.raises(StrayFilesError, match=r"x4\.txt and 2 more would be deployed"):
        write_package(project, project.parent / "app.zip")


@pytest.mark.parametrize("pattern", ["!host.json", "docs/*.md"])
def test_a_pattern_that_tools_read_differently_is_refused(project: Path, pattern: str) -> None:
    """Only plain names mean the same to Core Tools, azd and this package."""
    with (project / ".funcignore").open("a") as file:
        file.write(f"\n{pattern}\n")
    with pytest.raises(IgnoreFileError, match=r"plain names"):
        deployed_files(project)


def test_the_command_lists_the_files_and_the_size(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """So that nothing is deployed unseen."""
    monkeypatch.chdir(project)
    assert main([]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[:-1] == [f"  {name}" for name in deployed_files(project)]
    assert said[-1].startswith(f"{Path('.local/anomaly-scorer.zip')}: 4 files, ")


def test_the_command_in_another_folder_says_what_is_wrong(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, and no zip."""
    (project / "host.json").unlink()
    monkeypatch.chdir(project)
    assert main([]) == 1
    assert "run this in the project's folder" in capsys.readouterr().err
    assert not (project / ".local").exists()


def test_the_size_in_the_documents_is_right(tmp_path: Path) -> None:
    """Within a fifth: whoever sees another one looks for what is in it."""
    package = write_package(ROOT, tmp_path / "app.zip")
    words = " ".join((ROOT / "docs" / "deploy.md").read_text("utf-8").split())
    told = re.search(r"about (\d+) files, (\d+) KiB \((\d+) KiB unpacked\)", words)
    assert told is not None
    found = (len(package.files), package.n_bytes / 1024, package.n_unpacked / 1024)
    assert [int(one) for one in told.groups()] == pytest.approx(found, rel=0.2)


def test_examples_write_where_nothing_is_deployed_from(tmp_path: Path) -> None:
    """Core Tools and azd take along whatever `.funcignore` leaves."""
    shutil.copy(ROOT / ".funcignore", tmp_path)
    text = "\n".join(
        path.read_text("utf-8") for path in (ROOT / "README.md", *ROOT.glob("docs/*.md"))
    )
    folders = set(re.findall(r"--out ([\w./-]+)", text))
    assert len(folders) > 1
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "manifest.json").touch()
    assert deployed_files(tmp_path) == []
