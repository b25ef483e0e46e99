"""Names that become paths: of models, versions, files, containers, hubs, partitions, instances.

An input is seven names, parted by a sign that stands in none of them.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp

from fuzz.doubles import NOW, AtOnce
from fuzz.findings import expect
from fuzz.tokens import FIELD, PATHS
from fuzz.watching import Watch, stays_within
from local.log import log_path
from scoring.app import build_app
from scoring.dead_letters import DeadLetters
from scoring.errors import ScoringError, SettingsError
from scoring.event_batch import EventBatch
from scoring.ledger import Ledger
from scoring.letters import whole_events
from scoring.names import is_account_name, is_container_name, is_model_name, is_plain_path
from scoring.registry import BareFile, Registry
from scoring.settings import Settings, load_settings
from scoring.status import StatusBoard
from scoring.storage import Container, FolderStorage

_GOOD = (b"a/b.joblib", b"default", b"v1", b"models", b"hub", b"0", b"instance")
_UNSAFE = ("/", "\\", "\x00")


class Names:
    """No name leads to a file outside of its folder, and none raises what is not foretold."""

    tokens = (*PATHS, FIELD, b".", b"-", b"*=", b"a" * 300, b"*=default,")

    def __init__(self) -> None:
        self._root = os.path.realpath(mkdtemp(prefix="fuzz-"))
        self._folder = Path(self._root) / "data"
        self._watch = Watch()
        self._try_all([name.decode() for name in _GOOD])  # imports what it needs
        shutil.rmtree(self._folder)

    def seeds(self) -> list[bytes]:
        """Good names, and each of the known tricks in each place."""
        found = [FIELD.join(_GOOD)]
        for place in range(len(_GOOD)):
            for trick in PATHS:
                names = list(_GOOD)
                names[place] = trick + names[place]
                found.append(FIELD.join(names))
        return found

    def run(self, data: bytes) -> None:
        """Use every name where the app uses such a name."""
        given = [name.decode("utf-8", "replace") for name in data.split(FIELD)]
        names = [*given, *[""] * len(_GOOD)][: len(_GOOD)]
        for name in names:
            _check_rules(name)
        with self._watch.allowing(lambda event, args: stays_within(self._root, event, args)):
            self._try_all(names)
        shutil.rmtree(self._folder, ignore_errors=True)
        expect(not self._watch.seen, f"outside of the folder: {self._watch.seen[:3]}")

    def _try_all(self, names: list[str]) -> None:
        path, model, version, container, hub, partition, instance = names
        storage = FolderStorage(self._folder)
        self._files(storage.container("models"), path, f"{model}/{version}")
        self._models(Registry(storage.container("models")), model, version)
        with suppress(ScoringError):
            BareFile(storage.container("models"), path).fetch(model, None)
        events = EventBatch(hub, partition, [b"{}"], [0], [0], [None], [None])
        letters = DeadLetters(storage.container("dead-letter"))
        letters.write(events, whole_events(events, "fuzz"), NOW)
        expect(len(list(letters.read())) == 1, "a dead letter is not read back")
        with suppress(SettingsError):
            log_path(self._folder, hub)
        self._settings(path, model, container, hub, instance)

    def _files(self, container: Container, *paths: str) -> None:
        for path in paths:
            with suppress(ScoringError):
                container.put(path, b"data")
                container.put(path, b"more")
                container.get(path)
            with suppress(ScoringError):
                list(container.list(path))
                container.delete(path)

    def _models(self, registry: Registry, model: str, version: str) -> None:
        for act in (
            lambda: registry.fetch(model, None),
            lambda: registry.current(model),
            lambda: registry.load(model, version),
            lambda: registry.point(model, version),
        ):
            with suppress(ScoringError):
                act()

    def _settings(self, path: str, model: str, container: str, hub: str, instance: str) -> None:
        given = {
            "DATA_DIR": str(self._folder),
            "MODEL_FILE_PATH": path,
            "MODEL_NAME": model,
            "MODEL_ROUTES": f"*={model}",
            "MODEL_CONTAINER_NAME": container,
            "EVENT_HUB_NAME": hub,
        }
        try:
            settings = load_settings(given)
        except SettingsError as error:
            expect(error.problems, "refused without a problem")
            return
        self._app(settings)
        records = FolderStorage(self._folder).container("status")
        board = StatusBoard(records, instance, lambda: NOW, writing=AtOnce())
        with suppress(ScoringError):
            board.batch_ended(Ledger(), {}, {})

    def _app(self, settings: Settings) -> None:
        app = build_app(settings)
        app.reload_models()
        expect(app.http.health().body(), "health without an answer")
        app.http.score(b"{}", {"model": settings.model_name, "store": "true"})


def _check_rules(name: str) -> None:
    """Check that what is taken as a name has no sign that leads anywhere else."""
    taken = is_model_name(name) or is_container_name(name) or is_account_name(name)
    expect(not (taken and any(sign in name for sign in _UNSAFE)), f"{name!r} is a name")
    expect(not (taken and not name.strip(".")), f"{name!r} is a name")
    if is_plain_path(name):
        parts = name.split("/")
        expect(not {"", ".", ".."} & set(parts), f"{name!r} is a path")
        expect("\\" not in name and "\x00" not in name, f"{name!r} is a path")


def make() -> Names:
    """Make the surface."""
    return Names()
