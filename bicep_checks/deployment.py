"""Reads the files that describe the deployment."""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bicep_checks.declarations import BicepFile, ModuleCall, read_file

FOLDER = "bicep"
MAIN = f"{FOLDER}/main.bicep"
APP = f"{FOLDER}/app.bicep"
PARAMETERS = f"{FOLDER}/main.parameters.json"
ROLES = f"{FOLDER}/roles.json"


@dataclass(frozen=True, slots=True)
class Deployment:
    """All Bicep files of a project.

    Parameters
    ----------
    root : Path
        The project's folder.
    files : mapping of str to BicepFile
        By path relative to `root`.
    """

    root: Path
    files: Mapping[str, BicepFile]

    def text(self, path: str) -> str | None:
        """Return another file of the project, or None where there is none."""
        file = self.root / path
        return file.read_text("utf-8") if file.is_file() else None

    def called(self, file: BicepFile, module: ModuleCall) -> BicepFile | None:
        """Return the file that a module call names."""
        return self.files.get(beside(file, module.path))


def beside(file: BicepFile, path: str) -> str:
    """Return a path, written as seen from a file, as seen from the project's folder."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(file.path), path))


def read_deployment(root: Path) -> Deployment:
    """Read every Bicep file of a project.

    Raises
    ------
    FileNotFoundError
        Where there is none, so that checking nothing never passes.
    """
    found = sorted((root / FOLDER).rglob("*.bicep"))
    if not found:
        raise FileNotFoundError(f"{root / FOLDER}: holds no .bicep file; check the folder")
    paths = {one.relative_to(root).as_posix(): one for one in found}
    return Deployment(
        root, {path: read_file(path, one.read_bytes()) for path, one in paths.items()}
    )
