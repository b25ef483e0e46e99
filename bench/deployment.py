"""Sets the app up as a deployment does: settings in the environment, a model in storage."""

import importlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.model import publish_model
from bench.one_core import cores, on_one_core
from bench.write_server import running_write_server
from scoring.app import ScoringApp, get_app
from scoring.artifacts import LoadedModel

ROOT = Path(__file__).parents[1]
N_ESTIMATORS = 100
BUCKET, ORG, TOKEN = "scores", "bench", "none"


@dataclass(frozen=True, slots=True)
class Deployment:
    """The app of this process, and how another process gets one like it.

    Parameters
    ----------
    app : ScoringApp
    url : str
        Of the server that takes the writes.
    data_dir : Path
        A folder for the length of a run.
    environ : mapping of str to str
        Settings, and what else a process needs.
    """

    app: ScoringApp
    url: str
    data_dir: Path
    environ: Mapping[str, str]

    @property
    def model(self) -> LoadedModel:
        """The model that scores."""
        return self.app.delivery.cache.snapshot().get(self.app.settings.model_name)


@contextmanager
def deployed() -> Iterator[Deployment]:
    """Publish the model, and run the app on the first core and what it writes to on the last."""
    available = cores()
    with (
        TemporaryDirectory(prefix="bench-") as folder,
        running_write_server(available[-1]) as url,
        on_one_core(available[0]),
    ):
        settings = {
            "DATA_DIR": folder,
            "INFLUXDB_URL": url,
            "INFLUXDB_ORG": ORG,
            "INFLUXDB_BUCKET": BUCKET,
            "INFLUXDB_TOKEN": TOKEN,
        }
        publish_model(Path(folder), N_ESTIMATORS)
        with environment(settings):
            importlib.import_module("function_app")  # installs the fast decoding
            yield Deployment(get_app(), url, Path(folder), dict(os.environ))


@contextmanager
def environment(changes: Mapping[str, str]) -> Iterator[None]:
    """Set variables for the length of a with block."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
