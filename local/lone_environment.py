"""A virtual environment that holds the deployed requirements alone, as on Azure."""

import hashlib
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local.environment import process_environment
from local.file_lock import FileLock
from scoring.errors import ScoringError

REQUIREMENTS = "requirements.txt"
# What Microsoft's runtime library needs; on Azure the worker brings its own copies.
_BESIDE = ("azurefunctions-extensions-base", "protobuf", "grpcio")
_DIGITS = 12


class LoneEnvironmentError(ScoringError):
    """pip could not install what is deployed."""

    def __init__(self, found: str) -> None:
        super().__init__(f"the deployed requirements cannot be installed: {found}")


@dataclass(frozen=True, slots=True)
class LoneEnvironment:
    """Where it is.

    Parameters
    ----------
    python : Path
        The interpreter; it knows `requirements.txt` and nothing else.
    runtime : Path
        A folder with Microsoft's runtime library, for those who add it to their path.
    """

    python: Path
    runtime: Path


def lone_environment(root: Path, prefix: Path | None = None) -> LoneEnvironment:
    """Make the environment for `root`'s requirements unless it is there.

    Made once for each content of the requirements and each Python, which takes about a minute.
    Safe to call from several processes at once.

    Parameters
    ----------
    root : Path
        The project's folder.
    prefix : Path, optional
        Keeps the environments; ``deployed`` in the virtual environment by default.

    Raises
    ------
    LoneEnvironmentError
        With what pip said.
    """
    prefix = prefix or Path(sys.prefix) / "deployed"
    beside = _beside(root)
    folder = prefix / _digest(root, beside)
    found = LoneEnvironment(folder / _scripts() / "python", folder / "runtime")
    with FileLock(folder.with_suffix(".lock"), wait=True):
        if not (folder / "complete").exists():
            _run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder)])
            _pip(found.python, "-r", str(root / REQUIREMENTS))
            _pip(found.python, "--no-deps", "--ignore-requires-python", "--target",
                 str(found.runtime), *beside)  # fmt: skip
            (folder / "complete").touch()
    return found


def _beside(root: Path) -> list[str]:
    """Read the pins of the runtime library, and of what it needs, from their files."""
    tools = _pins(root / "requirements-dev.txt")
    needed = [pin for pin in tools if pin.split("==")[0] in _BESIDE]
    return [*_pins(root / "requirements-runtime.txt"), *needed]


def _pins(path: Path) -> list[str]:
    lines = [line.split("#")[0].strip() for line in path.read_text("utf-8").splitlines()]
    return [line for line in lines if line and not line.startswith("-")]


def _digest(root: Path, beside: Sequence[str]) -> str:
    what = [*_pins(root / REQUIREMENTS), *beside, sys.version]
    return hashlib.sha256("\n".join(what).encode()).hexdigest()[:_DIGITS]


def _scripts() -> str:
    return "Scripts" if sys.platform == "win32" else "bin"


def _pip(python: Path, *arguments: str) -> None:
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install"]
    _run([*pip, "--quiet", "--disable-pip-version-check", *arguments])


def _run(command: list[str]) -> None:
    ended = subprocess.run(  # noqa: S603  # our own interpreter
        command,
        env=process_environment().variables(),
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise LoneEnvironmentError(ended.stderr.strip() or f"exit {ended.returncode}")
