"""Makes the readings of a fleet, some of them bad and some sent twice."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass

from scoring.features import FloatArray
from tests.small_models import FEATURES, normal_readings

N_SENSORS = 20
_FIRST_MS = 1_777_636_800_000
_BAD_EVERY = 200  # 0.5 %
_TWICE_EVERY = 1_000  # 0.1 %
# A second copy comes this many readings later: in the same batch, or in one after a kill.
_LATEST_COPY = 4_000

Reading = dict[str, object]
# Each a reason of its own, and each body distinct by its time.
_SPOIL: list[Callable[[Reading], bytes]] = [
    lambda reading: json.dumps(reading | {FEATURES[0]: "n/a"}).encode(),
    lambda reading: json.dumps({k: v for k, v in reading.items() if k != FEATURES[1]}).encode(),
    lambda reading: json.dumps(reading).encode()[:-3],
    lambda reading: json.dumps(reading).encode() + b"\xff\xfe",
]


@dataclass(frozen=True, slots=True)
class Fleet:
    """What is sent, and what has to become of it.

    Parameters
    ----------
    sent : list of (str, bytes)
        Sensor and body of each event, in order.
    good : list of (str, int)
        Sensor and event time in ns of each distinct good reading.
    X : ndarray of shape (n_good, n_features), float64
        Their values.
    bad : list of bytes
        The bodies that no model can score.
    """

    sent: list[tuple[str, bytes]]
    good: list[tuple[str, int]]
    X: FloatArray
    bad: list[bytes]

    @property
    def n_twice(self) -> int:
        """How many good ones are sent twice."""
        return len(self.sent) - len(self.good) - len(self.bad)


def fleet(n_readings: int, chance: random.Random) -> Fleet:
    """Make distinct readings of twenty sensors, a millisecond apart."""
    X = normal_readings(n_readings, chance.randrange(2**32))
    numbers = range(n_readings)
    spoiled = set(chance.sample(numbers, n_readings // _BAD_EVERY))
    doubled = set(chance.sample(sorted(set(numbers) - spoiled), n_readings // _TWICE_EVERY))
    placed: list[tuple[float, str, bytes]] = []
    good: list[int] = []
    bad: list[bytes] = []
    for number, values in enumerate(X.tolist()):
        sensor = _sensor(number)
        reading: Reading = {"sensor_id": sensor, "timestamp": _FIRST_MS + number}
        reading |= dict(zip(FEATURES, values, strict=True))
        if number in spoiled:
            bad.append(_SPOIL[len(bad) % len(_SPOIL)](reading))
            placed.append((number, sensor, bad[-1]))
            continue
        good.append(number)
        body = json.dumps(reading).encode()
        placed.append((number, sensor, body))
        if number in doubled:
            placed.append((number + chance.uniform(0, _LATEST_COPY), sensor, body))
    placed.sort(key=lambda one: one[0])
    identities = [(_sensor(number), (_FIRST_MS + number) * 1_000_000) for number in good]
    return Fleet([(sensor, body) for _, sensor, body in placed], identities, X[good], bad)


def _sensor(number: int) -> str:
    return f"pump-{number % N_SENSORS}"
