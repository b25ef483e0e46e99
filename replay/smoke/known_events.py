"""The events of one smoke run: what is sent is known, so what must come of it is too."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from replay.sending import Message

N_GOOD = 97
_STEP_NS = 1_000_000  # apart, and near enough to now for any retention
_FAR_OFF_EVERY = 14  # of the good ones: some must be anomalies where a threshold decides
_FAR_OFF = 1e6


@dataclass(frozen=True, slots=True)
class BadEvent:
    """An event that must become a dead letter, and the reason that it must have."""

    reason: str
    message: Message


@dataclass(frozen=True, slots=True)
class KnownEvents:
    """What one run sends.

    Parameters
    ----------
    run_id : str
        Marks everything of this run.
    good : tuple of dict
        Readings, each of a sensor of its own.
    bad : tuple of BadEvent
    features : tuple of str
    start_ns : int
        Event time of the first one; ns since 1970.
    """

    run_id: str
    good: tuple[dict[str, Any], ...]
    bad: tuple[BadEvent, ...]
    features: tuple[str, ...]
    start_ns: int

    @property
    def prefix(self) -> str:
        """What every sensor id of this run begins with."""
        return f"smoke-{self.run_id}-"

    def messages(self) -> list[Message]:
        """Return all events, the bad ones among the good ones."""
        found = [_message(reading) for reading in self.good]
        for place, bad in enumerate(self.bad, 1):
            found.insert(place * len(found) // (len(self.bad) + 1), bad.message)
        return found

    def late_messages(self, n: int, round_number: int) -> list[Message]:
        """Make further good readings, which only make the scorers write down their counts."""
        ids = [f"{self.prefix}late-{round_number}-{place}" for place in range(n)]
        values = self.good[0]["features"]
        times = [self.start_ns + round_number * 10**9 + place for place in range(n)]
        return [_message(_reading(*one, values)) for one in zip(ids, times, strict=True)]


def known_events(run_id: str, features: Sequence[str], start_ns: int) -> KnownEvents:
    """Make the events of a run.

    Parameters
    ----------
    run_id : str
        Letters and digits; also the seed.
    features : sequence of str
        What the model needs.
    start_ns : int
        Event time of the first reading; ns since 1970.
    """
    generator = np.random.default_rng(list(run_id.encode()))
    X = generator.normal(20.0, 5.0, (N_GOOD, len(features))).round(4)
    X[::_FAR_OFF_EVERY] = _FAR_OFF
    prefix = f"smoke-{run_id}-"
    good = tuple(
        _reading(f"{prefix}{k}", start_ns + k * _STEP_NS, dict(zip(features, row, strict=True)))
        for k, row in enumerate(X.tolist())
    )
    bad = tuple(_bad(prefix, good[0]["features"], features, start_ns + N_GOOD * _STEP_NS))
    return KnownEvents(run_id, good, bad, tuple(features), start_ns)


def _bad(
    prefix: str, values: dict[str, float], features: Sequence[str], time_ns: int
) -> list[BadEvent]:
    text = dict.fromkeys(features, "smoke") or {"smoke": "smoke"}
    whole = json.dumps(_reading(f"{prefix}bad-3", time_ns, values))
    readings = {
        "feature_not_a_number": json.dumps(_reading(f"{prefix}bad-1", time_ns, text)),
        "bad_event_time": json.dumps(_reading(f"{prefix}bad-2", "no time", values)),
        "invalid_json": whole[:-2],
    }
    return [
        BadEvent(reason, Message(f"{prefix}bad-{number}", body.encode(), time_ns))
        for number, (reason, body) in enumerate(readings.items(), 1)
    ]


def _reading(sensor_id: str, time: object, features: dict[str, Any]) -> dict[str, Any]:
    return {"sensor_id": sensor_id, "timestamp": time, "features": features}


def _message(reading: dict[str, Any]) -> Message:
    return Message(reading["sensor_id"], json.dumps(reading).encode(), reading["timestamp"])
