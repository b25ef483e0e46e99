"""Runs the checks in their order: ask, send, wait, compare."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from replay.sending import Sender, SendError
from replay.smoke.app_client import AppClient, AppUnreachableError
from replay.smoke.checks import Check, is_passed, judged
from replay.smoke.comparison import (
    HealthCounts,
    count_checks,
    is_complete,
    letter_checks,
    store_checks,
)
from replay.smoke.expectation import Expected, NotScoredError, expect, learn_features
from replay.smoke.health import counts, health_checks, sink_names
from replay.smoke.known_events import KnownEvents, known_events
from replay.smoke.reach import Reach, recent_letters
from replay.smoke.stores import NotReadError, StoredScore, StoreReader
from scoring.errors import StorageUnavailableError
from scoring.letters import DeadLetter

# A scorer writes its counts at the end of a batch, at most every 15 s: later batches than the
# first one are told only with a batch that ends after that.
_LATE_EVERY_S = 16.0
_N_LATE = 16  # over the partitions, so that each scorer gets one
_CLOCKS_APART = timedelta(minutes=5)  # of this machine and of storage


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run.

    Parameters
    ----------
    app : AppClient
    reach : callable
        From the app's stores to what can be read of them.
    sender : callable
        Opens the way to the event hub.
    features : tuple of str
        Empty: they are learned.
    wait_s : float
        Longest, for everything to arrive.
    run_id : str
    poll_s : float
        Between two looks at the stores.
    sleep : callable
        Waits for seconds.
    clock : callable
        Seconds; only differences count.
    """

    app: AppClient
    reach: Callable[[Sequence[str]], Reach]
    sender: Callable[[], Sender]
    features: tuple[str, ...]
    wait_s: float
    run_id: str
    poll_s: float = 1.0
    sleep: Callable[[float], object] = time.sleep
    clock: Callable[[], float] = time.monotonic


@dataclass(slots=True)
class _Seen:
    """What was found at the last look."""

    stored: dict[str, list[StoredScore]] = field(default_factory=dict)
    letters: list[DeadLetter] | None = None
    counts: HealthCounts | None = None
    unread: dict[str, str] = field(default_factory=dict)


def run_smoke(plan: Plan) -> list[Check]:
    """Run all checks; ends early where those after it could tell nothing."""
    try:
        before = plan.app.health()
    except AppUnreachableError as error:
        advice = "is URL right, is the app running, and may this network reach it?"
        return [Check("GET /api/health", "an answer", str(error), "WRONG", advice)]
    checks = health_checks(before)
    if (before.document or {}).get("status") not in {"ok", "degraded"}:
        return checks
    reach = plan.reach(sink_names(before))
    try:
        events, expected = _known(plan)
    except NotScoredError as error:
        return [*checks, Check("POST /api/score", "200", error.found, "WRONG", error.look_at)]
    except AppUnreachableError as error:
        return [*checks, Check("POST /api/score", "200", str(error), "WRONG", "see its log")]
    checks += [*_about(events, expected), *reach.notes]
    return [*checks, *_Run(plan, events, expected, reach, counts(before)).checks()]


def _known(plan: Plan) -> tuple[KnownEvents, dict[str, Expected]]:
    now_ns = time.time_ns()
    features = plan.features or learn_features(plan.app, f"smoke-{plan.run_id}-0", now_ns)
    events = known_events(plan.run_id, features, now_ns)
    return events, expect(plan.app, events)


def _about(events: KnownEvents, expected: dict[str, Expected]) -> list[Check]:
    versions = sorted({f"{one.model} {one.model_version}" for one in expected.values()})
    anomalies = sum(one.is_anomaly is True for one in expected.values())
    found = f"{len(expected)}, {anomalies} anomalies, {', '.join(versions)}"
    checks = [Check("POST /api/score", f"{len(events.good)} scored", found, "ok")]
    if not events.features:
        advice = (
            "the app fills missing features, so it did not name them and all readings are alike;"
            " give FEATURES=a,b,c"
        )
        checks.append(Check("features", "named by the app", "none", "note", advice))
    return checks


class _Run:
    """Sends the events of one run, and looks for what comes of them."""

    def __init__(
        self,
        plan: Plan,
        events: KnownEvents,
        expected: dict[str, Expected],
        reach: Reach,
        before: HealthCounts,
    ) -> None:
        self._plan = plan
        self._events = events
        self._expected = expected
        self._reach = reach
        self._before = before
        # Counts are a poor proof, for where nothing better can be had.
        self._needs_counts = not reach.stores or reach.letters is None
        self._late: list[str] = []
        self._since = datetime.now(UTC) - _CLOCKS_APART

    def checks(self) -> list[Check]:
        """Send, wait and compare."""
        messages = self._events.messages()
        try:
            sender = self._plan.sender()
            try:
                sender.send(messages)
                seen = self._wait(sender)
            finally:
                sender.close()
        except SendError as error:
            advice = "is NAMESPACE right, is HUB its event hub, and may you send to it?"
            return [Check("events sent", f"{len(messages)}", str(error), "WRONG", advice)]
        except AppUnreachableError as error:
            return [Check("GET /api/health", "an answer", str(error), "WRONG", "the app is gone")]
        sent = judged("events sent", f"{len(messages)}", f"{len(messages)}", "", is_ok=True)
        return [sent, *self._compare(seen), *self._health_after()]

    def _wait(self, sender: Sender) -> _Seen:
        """Look again and again, until everything is there or time is up."""
        start = late_at = self._plan.clock()
        while True:
            seen = self._look()
            now = self._plan.clock()
            if self._is_complete(seen) or now - start >= self._plan.wait_s:
                return seen
            if self._needs_counts and now - late_at >= _LATE_EVERY_S:
                late_at = now
                self._send_late(sender)
            self._plan.sleep(min(self._plan.poll_s, self._plan.wait_s))

    def _send_late(self, sender: Sender) -> None:
        round_number = len(self._late) // _N_LATE + 1
        messages = self._events.late_messages(_N_LATE, round_number)
        self._late += [message.key for message in messages]
        sender.send(messages)

    def _look(self) -> _Seen:
        seen = _Seen()
        for store in self._reach.stores:
            try:
                seen.stored[store.name] = store.read(self._events)
            except NotReadError as error:
                seen.unread[f"stored in {store.name}"] = str(error)
        if self._reach.letters is not None:
            try:
                seen.letters = recent_letters(self._reach.letters, self._since)
            except StorageUnavailableError as error:
                seen.unread["dead letters"] = str(error)
        self._needs_counts = not self._is_told(seen) or seen.letters is None
        if self._needs_counts:
            seen.counts = counts(self._plan.app.health())
        return seen

    def _is_told(self, seen: _Seen) -> bool:
        """Tell whether any store that was read must hold some of these readings."""
        return any(self._of(one) for one in self._reach.stores if one.name in seen.stored)

    def _is_complete(self, seen: _Seen) -> bool:
        stores = (store for store in self._reach.stores if store.name in seen.stored)
        if not all(is_complete(self._of(one), seen.stored[one.name]) for one in stores):
            return False
        if seen.letters is not None and not is_passed(self._letters(seen.letters)):
            return False
        return is_passed(self._counts(seen))

    def _of(self, store: StoreReader) -> dict[str, Expected]:
        """Return what this store must hold."""
        return {
            name: one
            for name, one in self._expected.items()
            if one.is_anomaly or not store.only_anomalies
        }

    def _letters(self, letters: Sequence[DeadLetter]) -> list[Check]:
        return letter_checks(self._events.bad, letters)

    def _compare(self, seen: _Seen) -> list[Check]:
        checks = [Check(what, "", "not read", "note", why) for what, why in seen.unread.items()]
        for store in self._reach.stores:
            if store.name in seen.stored:
                stored = seen.stored[store.name]
                checks += store_checks(store.name, self._of(store), stored, self._late)
        if seen.letters is not None:
            checks += self._letters(seen.letters)
        return checks + self._counts(seen)

    def _counts(self, seen: _Seen) -> list[Check]:
        """Go by health for what could not be read."""
        if seen.counts is None:
            return []
        n_good = 0 if self._is_told(seen) else len(self._expected)
        reasons = [one.reason for one in self._events.bad] if seen.letters is None else []
        return count_checks(self._before, seen.counts, n_good, reasons)

    def _health_after(self) -> list[Check]:
        """Check health once more: a store may have failed just now."""
        try:
            found = health_checks(self._plan.app.health())
        except AppUnreachableError as error:
            return [Check("health after", "an answer", str(error), "WRONG", "the app is gone")]
        return [one for one in found if one.verdict != "ok"]
