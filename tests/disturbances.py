"""Plans when the app is killed, and when each store is cut off, killed and started again."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Act = Literal["kill", "start", "refuse", "fall_silent", "restore"]
Timeline = Sequence["Moment"]
# Of each store, one in each third of a run. In the first and last third the stores are cut off one
# after the other; in the middle one both at once, in the soak for longer than a write tries.
CUTS = 3
_TOGETHER = 1


@dataclass(frozen=True, slots=True)
class Moment:
    """What happens so many seconds after the beginning."""

    at_s: float
    act: Act


@dataclass(frozen=True, slots=True)
class Disturbances:
    """One run's; each timeline is in order of time.

    Parameters
    ----------
    app : Timeline
        Kills; the app is started again after each.
    cuts : dict of str to Timeline
        By store, three times: refusing, then silent, then restored.
    influxdb : Timeline
        The server itself is killed and started again, while the proxy before it is up.
    """

    app: Timeline
    cuts: dict[str, Timeline]
    influxdb: Timeline


def plan(chance: random.Random, seconds: float, kills: int) -> Disturbances:
    """Choose random moments, so that each thing happens often enough."""
    third = seconds / CUTS
    cuts: dict[str, list[Moment]] = {"influxdb": [], "cosmos": []}
    crash: list[Moment] = []
    for number in range(CUTS):
        stores = list(cuts)
        chance.shuffle(stores)
        for place, store in enumerate(stores):
            late = 0.0 if number == _TOGETHER else place / 2
            start = (number + late + chance.uniform(0.02, 0.08)) * third
            cuts[store] += _cut(chance, start, third, is_long=number == _TOGETHER)
            if store == "cosmos" and number != _TOGETHER:
                crash += _crash(chance, start, third)
    return Disturbances(_kills(chance, seconds, kills), dict(cuts), crash)


def _cut(chance: random.Random, start: float, third: float, *, is_long: bool) -> list[Moment]:
    refusal, silence = ((0.3, 0.35), (0.44, 0.5)) if is_long else ((0.18, 0.22), (0.12, 0.18))
    silent_at = start + chance.uniform(*refusal) * third
    return [
        Moment(start, "refuse"),
        Moment(silent_at, "fall_silent"),
        Moment(silent_at + chance.uniform(*silence) * third, "restore"),
    ]


def _crash(chance: random.Random, start: float, third: float) -> list[Moment]:
    """Kill influxd at some moment around the other store's cut."""
    killed_at = start + chance.uniform(0.0, 0.2) * third
    return [
        Moment(killed_at, "kill"),
        Moment(killed_at + chance.uniform(0.05, 0.15) * third, "start"),
    ]


def _kills(chance: random.Random, seconds: float, kills: int) -> list[Moment]:
    """Spread kills, so that the app does some work between two of them."""
    each = seconds / kills
    return [Moment((number + chance.uniform(0.1, 0.9)) * each, "kill") for number in range(kills)]
