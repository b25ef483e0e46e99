"""Runs ``python -m replay smoke`` as a test's user would, against an app of the test's own."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.app_process import running_app
from replay.__main__ import main
from scoring.settings import SETTINGS
from scoring.storage import FolderStorage
from tests.small_models import publish, small_model
from training.fitting import Artifact


@dataclass(frozen=True, slots=True)
class Ran:
    """What the command gave."""

    code: int
    out: str

    def line(self, name: str) -> str:
        """Return the line of one check, its columns a blank apart."""
        found = [line for line in self.out.splitlines() if line.startswith(name)]
        assert found, self.out
        return " ".join(found[0].removeprefix(name).split())

    def advice(self, name: str) -> str:
        """Return what is said about a check that is not ok."""
        lines = self.out.partition("\n\n")[2].splitlines()
        return next(line for line in lines if f": {name}" in line or f", {name}" in line)


@dataclass(frozen=True, slots=True)
class LocalApp:
    """A running app with a model, and where its data is."""

    url: str
    data_dir: Path
    settings: Mapping[str, str]


@contextmanager
def app_with_model(
    folder: Path, artifact: Artifact | None = None, **settings: str
) -> Iterator[LocalApp]:
    """Run the app on the files in `folder`, with a small model unless one is given."""
    data = folder / "data"
    publish(FolderStorage(data).container("models"), artifact or small_model())
    everything = {"DATA_DIR": str(data), "MODEL_REFRESH_SECONDS": "1"} | settings
    with running_app(everything, folder / "log", port=0) as app:
        yield LocalApp(app.url, data, everything)


def smoke(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    url: str,
    environment: Mapping[str, str],
    *arguments: str,
) -> Ran:
    """Run the command with these settings in the environment, and no others."""
    for name in (*SETTINGS, "WEBSITE_INSTANCE_ID", "SMOKE_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    code = main(["smoke", "--url", url, *arguments])
    return Ran(code, capsys.readouterr().out)
