"""Reading of a fitted estimator's attributes with a complaint that names the one at fault."""

import math
from collections.abc import Collection, Sequence
from typing import Any, Final

import numpy as np

from scoring.model_files.array_reading import AnyArray
from scoring.model_files.building_blocks import type_name
from scoring.model_files.model_faults import ModelFaultError, shown

_MISSING: Final = object()

Shape = Sequence[int | None]


class FittedAttributes:
    """The attributes of one fitted estimator.

    Parameters
    ----------
    estimator : object
        Anything with attributes of its own.
    """

    def __init__(self, estimator: object) -> None:
        self._values = vars(estimator)
        self._type_name = type_name(estimator)

    def fault(self, found: str) -> ModelFaultError:
        """Build a fault that names this estimator's class."""
        return ModelFaultError(f"holds a {self._type_name} {found}")

    def get(self, name: str) -> Any:
        """Return an attribute that must be there."""
        value = self._values.get(name, _MISSING)
        if value is _MISSING:
            raise self.fault(
                f"without {name}: it was never fitted or by another version of scikit-learn"
            )
        return value

    def has(self, name: str) -> bool:
        """Say whether an attribute is there and not None."""
        return self._values.get(name) is not None

    def whole(self, name: str, least: int, most: int) -> int:
        """Return a whole number between two bounds, both included."""
        value = self.get(name)
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise self.fault(f"whose {name} is no whole number")
        if not least <= value <= most:
            raise self.fault(f"whose {name} is not between {least} and {most}")
        return int(value)

    def number(self, name: str) -> float:
        """Return a finite number."""
        value = self.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float | np.number):
            raise self.fault(f"whose {name} is no number")
        if not math.isfinite(value):
            raise self.fault(f"whose {name} is not finite")
        return float(value)

    def flag(self, name: str) -> bool:
        """Return a boolean."""
        value = self.get(name)
        if not isinstance(value, bool | np.bool_):
            raise self.fault(f"whose {name} is neither true nor false")
        return bool(value)

    def choice(self, name: str, choices: Collection[str]) -> str:
        """Return a text that is one of a few."""
        value = self.get(name)
        if type(value) is not str or value not in choices:
            raise self.fault(f"whose {name} is {shown(value)}, which is not supported")
        return value

    def numbers(self, name: str, shape: Shape) -> AnyArray:
        """Return an array of finite floats.

        Parameters
        ----------
        name : str
            The attribute.
        shape : sequence of int or None
            None stands for any size from 1 on.
        """
        array = self._array(name, self.get(name), shape, "f")
        if not np.isfinite(array).all():
            raise self.fault(f"whose {name} is not finite")
        return array

    def indices(self, name: str, shape: Shape, below: int) -> AnyArray:
        """Return an array of whole numbers from 0 to below a bound."""
        array = self._array(name, self.get(name), shape, "iu")
        if array.size and (array.min() < 0 or array.max() >= below):
            raise self.fault(f"whose {name} is not within 0 to {below - 1}")
        return array

    def exact(self, name: str, shape: Shape, dtype: type[np.generic]) -> AnyArray:
        """Return a contiguous array of one dtype, as C code reads it unchecked."""
        array = self._array(name, self.get(name), shape, np.dtype(dtype).kind)
        if array.dtype != dtype or not array.flags.c_contiguous:
            raise self.fault(f"whose {name} is no contiguous {np.dtype(dtype).name} array")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise self.fault(f"whose {name} is not finite")
        return array

    def classes(self) -> int:
        """Return how many classes it tells apart, at least two."""
        array = self._array("classes_", self.get("classes_"), (None,), "biufUO")
        if len(array) < 2:  # noqa: PLR2004 - one class tells nothing apart
            raise self.fault("with fewer than two classes_")
        return len(array)

    def arrays(self, name: str) -> list[AnyArray]:
        """Return a list of arrays, at least one."""
        value = self.get(name)
        if not isinstance(value, list | tuple) or not value:
            raise self.fault(f"whose {name} is no list")
        return [self._array(name, item, None, "biuf") for item in value]

    def estimators(self, name: str, type_names: Collection[str]) -> list[object]:
        """Return a list of estimators of given classes, at least one."""
        value = self.get(name)
        if type(value) is not list or not value:
            raise self.fault(f"whose {name} is no list of estimators")
        if not all(type_name(item) in type_names for item in value):
            raise self.fault(f"whose {name} holds something else than its trees")
        return value

    def _array(self, name: str, value: object, shape: Shape | None, kinds: str) -> AnyArray:
        if not isinstance(value, np.ndarray) or value.dtype.kind not in kinds:
            raise self.fault(f"whose {name} is no array of the right type")
        if shape is not None and not _fits(value.shape, shape):
            wanted = ", ".join("any" if size is None else str(size) for size in shape)
            raise self.fault(f"whose {name} has the shape {value.shape}, not ({wanted})")
        return value


def _fits(shape: tuple[int, ...], wanted: Shape) -> bool:
    return len(shape) == len(wanted) and all(
        size == other or (other is None and size > 0)
        for size, other in zip(shape, wanted, strict=True)
    )
