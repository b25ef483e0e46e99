"""Tests of the Makefile with a Python that only notes how it is called."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")


def script(path: Path, text: str) -> Path:
    """Write a program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Copy the Makefile, and what its targets depend on."""
    for name in ("Makefile", *(path.name for path in ROOT.glob("requirements*.txt"))):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make with nothing of the make that may run this test."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_failed_virtual_environment_is_removed_and_the_remedy_named(folder: Path) -> None:
    """The next call tries again; half of one would pass for a whole one for ever."""
    python = script(folder / "python", "mkdir -p .venv/bin; touch .venv/bin/python; exit 1")
    for _ in range(2):
        ended = make(folder, "run", f"PYTHON={python}")
        assert ended.returncode != 0
        assert "apt install python3-venv" in ended.stdout
        assert not (folder / ".venv").exists()


def test_an_interrupted_virtual_environment_is_made_again(folder: Path) -> None:
    """It has a Python already, and no pip yet."""
    script(folder / ".venv" / "bin" / "python", "exit 0")
    python = script(folder / "python", "touch .venv/bin/pip made-again")
    assert make(folder, ".venv/local", f"PYTHON={python}").returncode == 0
    assert (folder / "made-again").exists()


@pytest.mark.parametrize("data", ["~/a b.csv", "price in $s.csv", 'it\'s "quoted".csv', "$(x).csv"])
def test_names_reach_the_run_as_they_were_given(folder: Path, data: str) -> None:
    """Neither make nor a shell takes their dollars, quotes and spaces for its own."""
    script(folder / ".venv" / "bin" / "python", 'printf "%s\\n" "$@"')
    (folder / ".venv" / "bin" / "pip").touch()
    (folder / ".venv" / "local").touch()
    names = {"FEATURES": '"a, b",c', "TIME": "t$t", "SENSOR": "`id`", "LABEL": "l'l"}
    given = [f"{name}={value}" for name, value in {"DATA": data, **names}.items()]
    arguments = make(folder, "run", *given).stdout.splitlines()
    for name, value in {"DATA": data, **names}.items():
        assert arguments[arguments.index(f"--{name.lower()}") + 1] == value


def made(folder: Path, text: str) -> None:
    """Let the virtual environment pass for one that is there, with a Python that does this."""
    script(folder / ".venv" / "bin" / "python", text)
    (folder / ".venv" / "bin" / "pip").touch()
    (folder / ".venv" / "local").touch()


@pytest.mark.parametrize("given", ["KEY=ab$cd==", "URL=x"])
def test_the_key_reaches_smoke_by_the_environment_alone(folder: Path, given: str) -> None:
    """Arguments of processes can be read by everyone; without a key there is none."""
    made(folder, 'printf "%s\\n" "key:$SMOKE_KEY" "$@"')
    said = make(folder, "smoke", "URL=http://127.0.0.1:1", given).stdout.splitlines()
    assert said[0] == ("key:ab$cd==" if "KEY" in given else "key:")
    assert not any("ab$cd" in argument for argument in said[1:])
    assert said[1:4] == ["-m", "replay", "smoke"]


def test_smoke_without_an_address_says_how_it_is_called(folder: Path) -> None:
    """It names what is missing."""
    made(folder, "exit 1")
    ended = make(folder, "smoke")
    assert ended.returncode != 0
    assert "URL=https://" in ended.stdout
