"""The command behind ``make package``: writes the zip that is deployed."""

import argparse
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local.deployed_files import deployed_files
from scoring.errors import ScoringError

TARGET = Path(".local") / "anomaly-scorer.zip"
_NEEDED = ("function_app.py", "host.json", "requirements.txt")
_MOST_NAMED = 5
# The oldest time that a zip can hold: the same files give the same bytes.
_TIME = (1980, 1, 1, 0, 0, 0)
_MODE = 0o644 << 16  # the upper half is the mode on Unix
_UNIX = 3


class PackageError(ScoringError):
    """The folder holds no app that could be deployed."""

    def __init__(self, root: Path, missing: list[str]) -> None:
        super().__init__(
            f"{root}: {', '.join(missing)} would not be deployed; run this in the project's"
            " folder, and look into .funcignore"
        )


class StrayFilesError(ScoringError):
    """Something in the folder would be deployed that is no part of the app."""

    def __init__(self, root: Path, stray: list[str]) -> None:
        more = f" and {len(stray) - _MOST_NAMED} more" if len(stray) > _MOST_NAMED else ""
        super().__init__(
            f"{root}: {', '.join(stray[:_MOST_NAMED])}{more} would be deployed, and the app does"
            " not need it; move it to .local, or name it in .funcignore"
        )


@dataclass(frozen=True, slots=True)
class Package:
    """A zip and what is in it.

    Parameters
    ----------
    path : Path
    files : tuple of str
        Sorted.
    n_bytes : int
        Of the zip.
    n_unpacked : int
        Bytes of all files.
    """

    path: Path
    files: tuple[str, ...]
    n_bytes: int
    n_unpacked: int


def write_package(root: Path, target: Path) -> Package:
    """Write the zip of a deployment; the same files always give the same bytes.

    Its root holds `host.json`, as every deployment tool wants it. Libraries are not in it: Azure
    installs `requirements.txt` ("remote build").

    Raises
    ------
    PackageError
        If one of the files that every app needs would be left out.
    StrayFilesError
        If anything but these files and the code of `scoring` would be taken along.
    """
    files = tuple(deployed_files(root))
    _check(root, files)
    target.parent.mkdir(parents=True, exist_ok=True)
    n_unpacked = 0
    with zipfile.ZipFile(target, "w") as archive:
        for name in files:
            data = (root / name).read_bytes()
            archive.writestr(_entry(name), data, zipfile.ZIP_DEFLATED, 9)
            n_unpacked += len(data)
    return Package(target, files, target.stat().st_size, n_unpacked)


def _check(root: Path, files: Sequence[str]) -> None:
    missing = [name for name in _NEEDED if name not in files]
    if missing:
        raise PackageError(root, missing)
    stray = [name for name in files if name not in _NEEDED and not _is_code(name)]
    if stray:
        raise StrayFilesError(root, stray)


def _is_code(name: str) -> bool:
    return name.startswith("scoring/") and name.endswith(".py")


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _TIME)
    entry.external_attr, entry.create_system = _MODE, _UNIX
    return entry


def main(arguments: list[str] | None = None) -> int:
    """Write the package and say what is in it; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m local.package", description=__doc__)
    parser.add_argument("--out", type=Path, default=TARGET, help=f"the zip ({TARGET})")
    options = parser.parse_args(arguments)
    try:
        package = write_package(Path.cwd(), options.out)
    except ScoringError as error:
        print(error, file=sys.stderr)
        return 1
    for name in package.files:
        print(f"  {name}")
    print(
        f"{package.path}: {len(package.files)} files, {package.n_bytes / 1024:.0f} KiB"
        f" ({package.n_unpacked / 1024:.0f} KiB unpacked)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
