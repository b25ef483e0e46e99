"""Compares what a run left behind with what must be there."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from replay.smoke.checks import Check, judged
from replay.smoke.expectation import Expected
from replay.smoke.known_events import BadEvent
from replay.smoke.stores import StoredScore
from scoring.letters import DeadLetter

# As exact as a model's own golden scores: another batch size may round the last digits.
_TOLERANCE = 1e-9
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class HealthCounts:
    """What health told of the scorers, summed up since each of them started.

    Parameters
    ----------
    received, scored : int
    rejected : mapping of str to int
        By reason.
    """

    received: int
    scored: int
    rejected: Mapping[str, int]


def is_complete(expected: Mapping[str, Expected], stored: Sequence[StoredScore]) -> bool:
    """Tell whether every reading is there; whether it is right is another question."""
    return set(expected) <= {one.sensor_id for one in stored}


def store_checks(
    name: str,
    expected: Mapping[str, Expected],
    stored: Sequence[StoredScore],
    allowed: Iterable[str] = (),
) -> list[Check]:
    """Check that one store holds every reading once, as it was scored ad hoc, and no other.

    Parameters
    ----------
    name : str
        Of the store.
    expected : mapping of str to Expected
        By sensor id.
    stored : sequence of StoredScore
        Everything of this run.
    allowed : iterable of str
        Sensor ids that may be there as well.
    """
    others = _others_check(name, expected, stored, set(allowed))
    if not expected:
        return [_nothing_expected(name), others]
    mine = [one for one in stored if one.sensor_id in expected]
    checks = [_stored_check(name, expected, mine), others, _scores_check(name, expected, mine)]
    return [*checks, *_model_faults(name, expected, mine), *_version_notes(name, expected, mine)]


def _stored_check(
    name: str, expected: Mapping[str, Expected], mine: Sequence[StoredScore]
) -> Check:
    missing = sorted(set(expected) - {one.sensor_id for one in mine})
    return judged(
        f"stored in {name}",
        f"{len(expected)} readings",
        f"{len(expected) - len(missing)}",
        f"missing: {_some(missing)}. Look at health's sink:{name} and spill, at the log of"
        " score_events, and whether HUB is the app's EVENT_HUB_NAME and the settings here are"
        " the app's own",
        is_ok=not missing,
    )


def _others_check(
    name: str, expected: Mapping[str, Expected], stored: Sequence[StoredScore], allowed: set[str]
) -> Check:
    times = Counter(one.sensor_id for one in stored)
    others = sorted(
        [one for one in times if one not in expected and one not in allowed]
        + [one for one, n in times.items() if n > 1 and one in expected]
    )
    return judged(
        f"nothing else in {name}",
        "0 other rows",
        f"{len(others)}",
        f"found: {_some(others)}. Bad events that were scored, or one reading twice: does"
        " TIME_TIE_BREAK change times, do two apps read this hub, and is COSMOS_WRITE here the"
        " app's own?",
        is_ok=not others,
    )


def _nothing_expected(name: str) -> Check:
    advice = (
        "the app stores anomalies alone there, and none of these readings is one: this says nothing"
        " about the store. A model without a threshold finds none"
    )
    return Check(f"stored in {name}", "0 readings", "0", "note", advice)


def _scores_check(
    name: str, expected: Mapping[str, Expected], mine: Sequence[StoredScore]
) -> Check:
    comparable = [one for one in mine if _is_same_version(one, expected[one.sensor_id])]
    wrong = sorted(
        one.sensor_id for one in comparable if not _is_same(one, expected[one.sensor_id])
    )
    if mine and not comparable:
        advice = (
            "not one was scored by the version that POST score used, so none was compared. Where a"
            " model was just published, run it again; else do all instances see the same models"
            " (MODEL_CONTAINER_NAME, MODEL_NAME, MODEL_FILE_PATH)?"
        )
        return Check(f"scores in {name}", "as POST score gave them", "0", "WRONG", advice)
    return judged(
        f"scores in {name}",
        f"{len(comparable)} as POST score gave them",
        f"{len(comparable) - len(wrong)}",
        f"other scores: {_some(wrong)}. Do all instances run the same code and settings"
        " (FEATURE_KEYS, MODEL_ROUTES), and does something else write to this store?",
        is_ok=not wrong,
    )


def _model_faults(
    name: str, expected: Mapping[str, Expected], mine: Sequence[StoredScore]
) -> list[Check]:
    """Find readings that another model scored: publishing changes versions, and no routes."""
    other = Counter(one.model for one in mine if one.model != expected[one.sensor_id].model)
    if not other:
        return []
    found = ", ".join(f"{n} by {model}" for model, n in other.items())
    advice = "do all instances have the same MODEL_ROUTES and MODEL_NAME, and has the app one code?"
    return [Check(f"model in {name}", "that of POST score", found, "WRONG", advice)]


def _version_notes(
    name: str, expected: Mapping[str, Expected], mine: Sequence[StoredScore]
) -> list[Check]:
    of_model = [one for one in mine if one.model == expected[one.sensor_id].model]
    other = Counter(
        one.model_version for one in of_model if not _is_same_version(one, expected[one.sensor_id])
    )
    if not other:
        return []
    found = ", ".join(f"{n} by {version}" for version, n in other.items())
    return [
        Check(
            f"model version in {name}",
            "that of POST score",
            found,
            "note",
            "a model was published meanwhile, or a process has not refreshed yet; their scores were"
            " not compared: run it again",
        )
    ]


def _is_same_version(one: StoredScore, expected: Expected) -> bool:
    return (one.model, one.model_version) == (expected.model, expected.model_version)


def _is_same(one: StoredScore, expected: Expected) -> bool:
    is_close = math.isclose(one.score, expected.score, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
    return is_close and one.is_anomaly == expected.is_anomaly


def letter_checks(bad: Sequence[BadEvent], letters: Sequence[DeadLetter]) -> list[Check]:
    """Check that each bad event is a dead letter with its reason."""
    found = {letter.raw: letter.reason for letter in letters}
    reasons = [found.get(one.message.body.decode(), "missing") for one in bad]
    return [
        judged(
            f"dead letter of {one.message.key}",
            one.reason,
            reason,
            "look at the log of score_events, and whether the container dead-letter is the app's"
            " and can be written by it",
            is_ok=reason == one.reason,
        )
        for one, reason in zip(bad, reasons, strict=True)
    ]


def count_checks(
    before: HealthCounts, after: HealthCounts, n_good: int, reasons: Sequence[str]
) -> list[Check]:
    """Check that health's counts rose by what was sent, where nothing better can be read.

    Parameters
    ----------
    before, after : HealthCounts
    n_good : int
        Good readings that no store could be asked about; 0 where one could.
    reasons : sequence of str
        Of bad readings whose dead letters could not be read; empty where they could.
    """
    rises = {"received": (n_good + len(reasons), after.received - before.received)}
    if n_good:
        rises["scored"] = (n_good, after.scored - before.scored)
    for reason in reasons:
        rises[f"rejected {reason}"] = (1, _rejected(after, reason) - _rejected(before, reason))
    return [_count_check(name, least, rise) for name, (least, rise) in rises.items()]


def _count_check(name: str, least: int, rise: int) -> Check:
    expected, found = f"at least {least} more", f"{rise} more"
    if rise < least:
        advice = (
            "look at the log of score_events, at the hub's consumer group and at the role Azure"
            " Event Hubs Data Receiver; where a scorer process ended meanwhile, run it again"
        )
        return Check(f"health: {name}", expected, found, "WRONG", advice)
    advice = (
        "a rise shows that readings flow, and no more: other readings are counted too, and each"
        " scorer tells its counts at most every 15 s"
    )
    return Check(f"health: {name}", expected, found, "note", advice)


def _rejected(counts: HealthCounts, reason: str) -> int:
    return counts.rejected.get(reason, 0)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
