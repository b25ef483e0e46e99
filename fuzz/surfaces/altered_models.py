"""Model files that are well-formed, and hold models with parts that do not fit.

An input is a family, a form, and four bytes for each alteration.
"""

import pickle  # noqa: TID251 - writes what the loader is to read
from collections.abc import Iterator
from functools import cache
from typing import Any

from fuzz.alterations import alter, opened
from fuzz.model_checks import check_load
from fuzz.model_seeds import FAMILY_NAMES, as_joblib, model
from scoring.artifacts import load_bare

_MOST_ALTERATIONS = 4
_CHOICES = 4  # bytes of one alteration


class AlteredModels:
    """Compiled code behind an estimator never reads what it should not."""

    tokens = ()

    def seeds(self) -> list[bytes]:
        """Every family, with an alteration somewhere."""
        return [
            bytes([number, form, number, 16 * form, form, 7 * number % 256])
            for number in range(len(FAMILY_NAMES))
            for form in range(4)
        ]

    def run(self, data: bytes) -> None:
        """Alter a model, write it, and load it."""
        if len(data) < 2 + _CHOICES:
            return
        family, choices = FAMILY_NAMES[data[0] % len(FAMILY_NAMES)], _choices(data[2:])
        root = opened(_pickled(family, in_dict=bool(data[1] & 2)))
        for _ in range(min(len(data[2:]) // _CHOICES, _MOST_ALTERATIONS)):
            alter(root, choices)
        file = _written(root[0], data[1])
        if file is not None:
            check_load(
                lambda: load_bare(
                    file, "m.joblib", name="m", trusted=frozenset(), feature_keys=None
                )
            )


def _choices(data: bytes) -> Iterator[int]:
    yield from data


@cache
def _pickled(family: str, *, in_dict: bool) -> bytes:
    """Write a family's model, alone or in a dict as teams have it."""
    around = {
        "model": model(family),
        "features": ["temperature", "humidity", "noise"],
        "threshold": 0.5,
        "threshold_scale": "score",
        "anomaly_class": 1,
    }
    return pickle.dumps(around if in_dict else model(family))


def _written(altered: Any, form: int) -> bytes | None:
    try:
        return as_joblib(altered) if form & 1 else pickle.dumps(altered, 2 + (form >> 2) % 4)
    except Exception:  # noqa: BLE001  # nobody can write such a file with pickle itself
        return None


def make() -> AlteredModels:
    """Make the surface."""
    return AlteredModels()
