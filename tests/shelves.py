"""Sources of models in memory, for the tests of the cache."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from scoring.artifacts import LoadedModel, load_published
from scoring.cache import ModelCache, Snapshot
from scoring.registry import Fetched
from scoring.storage import NotRead
from tests.moved_time import Clock
from tests.small_models import small_model

ARTIFACT = small_model()
MODEL = load_published(ARTIFACT.data, ARTIFACT.manifest, trusted=frozenset(), feature_keys=None)
REFRESH = 60.0


class ByHand:
    """A background in which work waits until the test runs it."""

    def __init__(self) -> None:
        self.work: list[Callable[[], None]] = []

    def __call__(self, work: Callable[[], None]) -> None:
        """Take work."""
        self.work.append(work)

    def run(self) -> int:
        """Do all the work; returns how much it was."""
        done = len(self.work)
        while self.work:
            self.work.pop()()
        return done


@dataclass
class Shelf:
    """A source of models in memory, which counts and can fail.

    Parameters
    ----------
    versions : dict
        The current version of each model.
    failing : exception, optional
        Raised by `fetch`.
    unloadable : dict of str to exception
        Raised when that version is loaded.
    takes_s : float
        How long `fetch` takes, on `clock`.
    """

    versions: dict[str, str] = field(default_factory=dict)
    failing: Exception | None = None
    unloadable: dict[str, Exception] = field(default_factory=dict)
    fetches: int = 0
    takes_s: float = 0.0
    clock: Clock | None = None
    loads: list[str] = field(default_factory=list)

    def fetch(self, name: str, known_tag: str | None) -> Fetched | NotRead:
        """Look for a version; its tag is its name."""
        self.fetches += 1
        if self.clock is not None:
            self.clock.now += self.takes_s
        if self.failing is not None:
            raise self.failing
        if name not in self.versions:
            return NotRead.MISSING
        version = self.versions[name]
        if version == known_tag:
            return NotRead.UNCHANGED
        return Fetched(version, version, lambda: self._load(name, version))

    def _load(self, name: str, version: str) -> LoadedModel:
        self.loads.append(version)
        if version in self.unloadable:
            raise self.unloadable[version]
        return replace(MODEL, name=name, version=version)


def version(snapshot: Snapshot) -> str:
    """Return the version in use."""
    return snapshot.get("default").version


def state(snapshot: Snapshot) -> str:
    """Return what the last check found."""
    return snapshot.states["default"].state


def looked_at_again(cache: ModelCache, clock: Clock, seconds: float) -> Snapshot:
    """Let time pass, and look."""
    clock.now += seconds
    return cache.refresh()
