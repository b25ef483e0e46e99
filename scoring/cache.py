"""Holds the models of this process, and refreshes them without making a batch wait."""

import logging
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from scoring.artifacts import LoadedModel
from scoring.background import in_background
from scoring.errors import (
    ArtifactRejectedError,
    ModelUnavailableError,
    StorageUnavailableError,
)
from scoring.registry import Fetched, ModelSource
from scoring.storage import NotRead

_log = logging.getLogger(__name__)
# A process that slept (a frozen instance) must not score with a model of yesterday.
_WAIT_FACTOR = 5
# What was found longer ago may have changed since: a process that does nothing looks for nothing.
_TELLING_SECONDS = 900.0
# While a model is missing, look again soon: batches are being held.
_MISSING_SECONDS = 1.0
# A refused version is looked at again after this many intervals: its files may have been mended.
_REFUSED_FACTOR = 10
# Checks of many processes spread out instead of arriving together; never later than told.
_EARLIEST_SHARE = 0.8

# A call to a storage that refuses ends in some seconds, to one that is silent in most of a minute.
_SILENT_SECONDS = 10.0

_NOT_ASKED = "storage was silent to the look for another model; this one was not looked for"
_NO_VERSION = "there is no version in storage; publish one with python -m training publish"

State = Literal["ready", "missing", "refused", "unreachable"]


@dataclass(frozen=True, slots=True)
class ModelState:
    """What the last check of one model found.

    Parameters
    ----------
    state : {"ready", "missing", "refused", "unreachable"}
        Of the version that is current in storage; an earlier one may be in use all the same.
    tag : str or None
        The version that was looked at, loaded or refused.
    found_version : str or None
        Its name.
    problem : str or None
        For the log.
    loaded_at : float or None
        When the model in use was loaded, on the cache's clock.
    since : float
        When this was found, on the same clock.
    """

    state: State
    tag: str | None = None
    found_version: str | None = None
    problem: str | None = None
    loaded_at: float | None = None
    since: float = float("-inf")


@dataclass(frozen=True, slots=True)
class _Look:
    """Which version a check is looking at."""

    tag: str | None
    version: str | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The models as they were at one moment; immutable, taken once a batch."""

    models: Mapping[str, LoadedModel] = field(default_factory=dict)
    states: Mapping[str, ModelState] = field(default_factory=dict)
    checked_at: float = float("-inf")

    def get(self, name: str) -> LoadedModel:
        """Return a model that is ready; raises `ModelUnavailableError` where there is none."""
        if name in self.models:
            return self.models[name]
        state = self.states.get(name, ModelState("missing"))
        raise ModelUnavailableError(name, state.problem or _NO_VERSION)


class ModelCache:
    """One immutable snapshot of all models a process, swapped atomically.

    Guarantee: a model that is ready stays in use until its successor is loaded, checked and
    tested; nothing that goes wrong with a refresh takes it away. A batch waits for a refresh
    only where there is no model yet, or where none was looked for in five times the interval.

    Parameters
    ----------
    source : ModelSource
    names : sequence of str
        Every model that readings may be routed to.
    refresh_seconds : float
        How often to look for changes.
    clock : callable
        Monotonic seconds.
    background : callable
        Runs a refresh beside the batch; a thread by default.
    """

    def __init__(
        self,
        source: ModelSource,
        names: Sequence[str],
        refresh_seconds: float,
        clock: Callable[[], float],
        background: Callable[[Callable[[], None]], None] = in_background,
    ) -> None:
        self._source = source
        self._names = tuple(names)
        self._refresh_seconds = refresh_seconds
        self._clock = clock
        self._background = background
        self._snapshot = Snapshot()
        self._refreshing = threading.Lock()
        self._due_after = self._next_interval()

    def _next_interval(self) -> float:
        return self._refresh_seconds * random.uniform(_EARLIEST_SHARE, 1.0)  # spread, no secret

    def latest(self) -> Snapshot:
        """Return the models as they were last found, without looking."""
        return self._snapshot

    def now(self) -> float:
        """Return the time on the cache's clock."""
        return self._clock()

    def has_looked_lately(self) -> bool:
        """Tell whether `latest` may be told as the present state: 15 minutes, or five intervals."""
        age = self._clock() - self._snapshot.checked_at
        return age <= max(_TELLING_SECONDS, self._refresh_seconds * _WAIT_FACTOR)

    def snapshot(self) -> Snapshot:
        """Return the models to score one batch with."""
        current = self._snapshot
        age = self._clock() - current.checked_at
        incomplete = len(current.models) < len(self._names)
        if age > self._refresh_seconds * _WAIT_FACTOR:
            return self.refresh()
        if incomplete and age > min(_MISSING_SECONDS, self._refresh_seconds):
            return self.refresh()
        if age > self._due_after and self._refreshing.acquire(blocking=False):
            self._start_refresh()
        return self._snapshot

    def _start_refresh(self) -> None:
        try:
            self._background(self._finish_refresh)
        except RuntimeError as error:  # no thread to be had; the next batch tries again
            self._refreshing.release()
            _log.warning("models are not refreshed yet: %s", error)

    def verify(self) -> Snapshot:
        """Load the current version of every model again, changed or not."""
        self._refreshing.acquire()  # released by _finish_refresh
        self._finish_refresh(afresh=True)
        return self._snapshot

    def refresh(self, *, at_most_every: float = 0.0) -> Snapshot:
        """Look for changes now and wait for the outcome.

        Parameters
        ----------
        at_most_every : float
            Seconds; the snapshot is returned as it is where the last check is younger.
        """
        asked_at = self._clock()
        if asked_at - self._snapshot.checked_at < at_most_every:
            return self._snapshot
        self._refreshing.acquire()  # released by _finish_refresh
        if self._snapshot.checked_at >= asked_at:  # another thread did it meanwhile
            self._refreshing.release()
            return self._snapshot
        self._finish_refresh()
        return self._snapshot

    def _finish_refresh(self, *, afresh: bool = False) -> None:
        try:
            before = self._snapshot
            models, states = dict(before.models), {}
            is_silent = False
            for name in self._names:
                began = self._clock()
                if is_silent:  # a batch that waits would wait most of a minute for each model
                    states[name] = self._not_asked(name, before)
                    continue
                states[name], model = self._check(name, before, afresh=afresh)
                if model is not None:
                    models[name] = model
                took = self._clock() - began
                is_silent = states[name].state == "unreachable" and took > _SILENT_SECONDS
            frozen = MappingProxyType(models), MappingProxyType(states)
            self._snapshot = Snapshot(*frozen, self._clock())
            self._due_after = self._next_interval()
        finally:
            self._refreshing.release()

    def _not_asked(self, name: str, before: Snapshot) -> ModelState:
        known = before.states.get(name, ModelState("missing"))
        look = _Look(known.tag, None)
        return self._problem(name, known, look, "unreachable", _NOT_ASKED)[0]

    def _check(
        self, name: str, before: Snapshot, *, afresh: bool
    ) -> tuple[ModelState, LoadedModel | None]:
        """Look at one model; no outcome of it takes a ready model away."""
        known = before.states.get(name, ModelState("missing"))
        look = _Look(known.tag, None)
        try:
            found = self._source.fetch(name, None if afresh else self._known_tag(known))
            if found is NotRead.UNCHANGED:
                return known, None
            if isinstance(found, Fetched):
                look = _Look(found.tag, found.version)
                return self._load(name, found)
            return self._problem(name, known, look, "missing", _NO_VERSION)
        except StorageUnavailableError as error:
            return self._problem(name, known, look, "unreachable", str(error))
        except ArtifactRejectedError as error:
            return self._problem(name, known, look, "refused", str(error))
        except Exception as error:  # noqa: BLE001  # handled: counted as refused, and kept
            # whatever a model file can provoke, the model before it goes on scoring
            _log.debug("model %s: %s", name, look.version, exc_info=error)
            return self._problem(name, known, look, "refused", f"unexpected: {error!r}")

    def _known_tag(self, known: ModelState) -> str | None:
        """Tell the source what is known, unless that should be looked at afresh."""
        waited = self._clock() - known.since
        again = known.state == "refused" and waited > self._refresh_seconds * _REFUSED_FACTOR
        return None if again or known.state in {"unreachable", "missing"} else known.tag

    def _problem(
        self, name: str, known: ModelState, look: "_Look", state: State, problem: str
    ) -> tuple[ModelState, None]:
        if problem != known.problem:
            _log.error("model %s is %s: %s", name, state, problem)
        now = self._clock()
        return ModelState(state, look.tag, look.version, problem, known.loaded_at, now), None

    def _load(self, name: str, found: Fetched) -> tuple[ModelState, LoadedModel]:
        model = found.load()
        _log.info(
            "model %s: version %s is ready, scored by %s, threshold %s from %s%s",
            name,
            model.version,
            model.method,
            model.threshold,
            model.threshold_scale,
            "".join(f"; {note}" for note in model.notes),
        )
        now = self._clock()
        return ModelState("ready", found.tag, model.version, None, now, now), model
