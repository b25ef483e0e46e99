"""Scores dead letters again after a fix, and lets go of those that are stored then."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from replay.letter_batches import batches, events_of, files_together, rejections
from scoring.dead_letters import MOST_REMEMBERED, DeadLetters, LetterFile
from scoring.delivery import Delivery
from scoring.errors import (
    ModelUnavailableError,
    ReadingRejectedError,
    SinkThrottledError,
    SinkUnavailableError,
    StorageUnavailableError,
)
from scoring.event_batch import EventBatch
from scoring.json_bodies import documents
from scoring.letters import DeadLetter, Identity, dead_letter
from scoring.pipeline import Outcome, score_batch
from scoring.scored import Refused, ScoredBatch, Sink

_log = logging.getLogger(__name__)
# For a store that asks for patience: two minutes in all, beyond its own bounded retries.
_WAITS_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
# May heal: the replay ends, and everything not yet stored stays.
_UNAVAILABLE = (ModelUnavailableError, SinkUnavailableError, StorageUnavailableError)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which dead letters to take; all of them by default.

    Parameters
    ----------
    reasons, hubs, sensors : frozenset of str
        An empty one takes any.
    sensor_id_keys : tuple of str
        Where a reading names its sensor.
    """

    reasons: frozenset[str] = frozenset()
    hubs: frozenset[str] = frozenset()
    sensors: frozenset[str] = frozenset()
    sensor_id_keys: tuple[str, ...] = ()

    def holds(self, letter: DeadLetter) -> bool:
        """Tell whether a letter is chosen."""
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (not self.hubs or letter.hub in self.hubs)
            and (not self.sensors or not self.sensors.isdisjoint(self._sensors_of(letter)))
        )

    def _sensors_of(self, letter: DeadLetter) -> Iterator[str]:
        fallback = events_of([letter]).fallback_sensor_id(0)
        for document in documents(letter.raw_bytes()):
            try:
                payload = document.payload()
            except ReadingRejectedError:
                payload = {}
            yield next((str(payload[k]) for k in self.sensor_id_keys if k in payload), fallback)


@dataclass(slots=True)
class ReplayCounts:
    """What became of the letters that were chosen.

    Parameters
    ----------
    replayed : int
        Letters that were scored again, or tried.
    scored : int
        Readings that are stored now; a letter of a whole event may hold several.
    rejected : Counter
        Readings that were rejected again, by reason.
    left : int
        Letters of which something is still a dead letter.
    faults : Counter
        Letters that met a fault of this program, by its message.
    unreadable : list of str
        Files that were damaged, and in which way.
    altered : list of str
        Files that somebody wrote meanwhile; they stay as they are.
    """

    replayed: int = 0
    scored: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    left: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    unreadable: list[str] = field(default_factory=list)
    altered: list[str] = field(default_factory=list)

    def is_clean(self) -> bool:
        """Tell whether nothing went wrong but readings that are bad still."""
        return not (self.faults or self.unreadable or self.altered)


class Replay:
    """Replays dead letters through the app's own scoring and into its own stores.

    Guarantee: a letter goes only after each of its readings was taken by every store, so a kill
    at any moment loses nothing; what was stored before it is stored again under the same
    identity. A reading has the identity that it would have had at first: hub, partition, sequence
    number, index and enqueued time are those of its letter. One that is rejected again keeps its
    letter; where the reason is another one now, a letter with that reason takes its place.
    Several replays at once repeat work and lose none.

    Parameters
    ----------
    delivery : Delivery
        Whose models, stores and dead letters to use.
    selection : Selection
    limit : int, optional
        Most letters in all.
    dry_run : bool
        Score only: nothing is stored, nothing goes.
    sleep : callable
        Waits for seconds where a store asks for it.
    """

    def __init__(
        self,
        delivery: Delivery,
        selection: Selection,
        *,
        limit: int | None = None,
        dry_run: bool = False,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.counts = ReplayCounts()
        self._delivery = delivery
        self._sinks = () if dry_run else tuple(outlet.sink for outlet in delivery.outlets)
        self._selection = selection
        self._limit = limit
        self._dry_run = dry_run
        self._sleep = sleep
        # What to keep of each letter that was replayed: copies of it share its fate.
        self._left: dict[Identity, tuple[DeadLetter, ...]] = {}

    def run(
        self,
        progress: Callable[[int], None] = lambda _files: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """Replay what is chosen; `counts` holds the result even where this raises.

        Parameters
        ----------
        progress : callable
            Told the number of files that are done.
        should_stop : callable
            Asked now and then; what is begun is brought to its end.

        Raises
        ------
        ModelUnavailableError, SinkUnavailableError, StorageUnavailableError
            If models, stores or storage cannot be had; what is not stored yet stays.
        """
        done = 0
        for files in files_together(self._readable(self._delivery.dead_letters)):
            if should_stop() or self._is_enough():
                return
            self._forget(files[0])
            self._replay(files)
            done += len(files)
            progress(done)

    def _readable(self, letters: DeadLetters) -> Iterator[LetterFile]:
        for file in letters.files():
            if file.fault is None:
                yield file
            else:
                self.counts.unreadable.append(f"{file.path}: {file.fault}")

    def _is_enough(self) -> bool:
        return self._limit is not None and self.counts.replayed >= self._limit

    def _forget(self, file: LetterFile) -> None:
        if len(self._left) > MOST_REMEMBERED:
            self._left = {k: left for k, left in self._left.items() if not file.is_passed(k)}

    def _replay(self, files: Sequence[LetterFile]) -> None:
        chosen = self._chosen(letter for file in files for letter in file.letters)
        for letters in batches(chosen):
            self._score(letters)
        for file in () if self._dry_run else files:
            self._settle(file)

    def _chosen(self, letters: Iterable[DeadLetter]) -> list[DeadLetter]:
        found: dict[Identity, DeadLetter] = {}
        for letter in letters:
            if self._limit is not None and self.counts.replayed + len(found) >= self._limit:
                break
            if letter.identity not in self._left and self._selection.holds(letter):
                found.setdefault(letter.identity, letter)
        return list(found.values())

    def _settle(self, file: LetterFile) -> None:
        """Keep of a file what is still rejected, and what was not replayed."""
        left = [kept for one in file.letters for kept in self._left.get(one.identity, (one,))]
        left = list({letter.identity: letter for letter in left}.values())
        if left != list(file.letters) and not self._delivery.dead_letters.settle(file, left):
            self.counts.altered.append(file.path)

    def _score(self, letters: Sequence[DeadLetter]) -> None:
        """Score and store letters of one partition; a fault of this program is narrowed down."""
        batch = events_of(letters)
        try:
            outcome = score_batch(batch, self._delivery.cache.snapshot(), self._delivery.policy)
            refused = self._store(outcome.scored)
        except _UNAVAILABLE:
            raise
        except Exception as error:  # noqa: BLE001  # a fault of this program keeps the letter
            if len(letters) == 1:
                self._fault(letters[0], error)
                return
            middle = len(letters) // 2
            self._score(letters[:middle])
            self._score(letters[middle:])
            return
        self._account(batch, letters, outcome, refused)

    def _fault(self, letter: DeadLetter, error: Exception) -> None:
        """Keep a letter as it is; it was tried."""
        _log.debug("replay of %s", letter.identity, exc_info=error)
        self.counts.faults[f"{type(error).__name__}: {error}"[:200]] += 1
        self.counts.replayed += 1
        self.counts.left += 1
        self._left[letter.identity] = (letter,)

    def _store(self, scored: Sequence[ScoredBatch]) -> list[Refused]:
        return [one for sink in self._sinks if scored for one in self._written(sink, scored)]

    def _written(self, sink: Sink, scored: Sequence[ScoredBatch]) -> Sequence[Refused]:
        """Write to one store, and wait where it asks for patience."""
        for wait_s in _WAITS_S:
            try:
                return sink.write(scored)
            except SinkThrottledError as error:
                _log.warning("%s; trying again in %g s", error, wait_s)
                self._sleep(wait_s)
        return sink.write(scored)

    def _account(
        self,
        batch: EventBatch,
        letters: Sequence[DeadLetter],
        outcome: Outcome,
        refused: Sequence[Refused],
    ) -> None:
        by_store = rejections(letters, refused)
        rejected = [*outcome.rejected, *by_store]
        self.counts.replayed += len(letters)
        self.counts.scored += sum(map(len, outcome.scored)) - len(by_store)
        self.counts.rejected.update(one.reason for one in rejected)
        now = self._delivery.clock()
        left: dict[int, list[DeadLetter]] = {event: [] for event in range(len(letters))}
        for one in rejected:
            again = dead_letter(batch, one, now)
            # the same letter anew would differ in the time of its rejection only
            same = again.identity == letters[one.event].identity
            left[one.event].append(letters[one.event] if same else again)
        for event, kept in left.items():
            self.counts.left += bool(kept)
            self._left[letters[event].identity] = tuple(kept)
            # a file that is written now may still come in the listing
            self._left |= {letter.identity: (letter,) for letter in kept}
