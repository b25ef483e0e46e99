"""Copies of what a deployment takes along."""

import zipfile
from pathlib import Path

from local.package import write_package

ROOT = Path(__file__).parents[1]


def deploy(folder: Path) -> Path:
    """Unpack the zip of a deployment in `folder`, and nothing else."""
    package = write_package(ROOT, folder.parent / f"{folder.name}.zip")
    with zipfile.ZipFile(package.path) as archive:
        archive.extractall(folder)
    return folder
