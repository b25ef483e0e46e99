"""Walking of everything that a model holds."""

from collections import OrderedDict
from collections.abc import Iterator

import numpy as np

from scoring.model_files.array_reading import is_scalar


def objects_within(root: object) -> Iterator[object]:
    """Yield every object of a model once, scalars left out.

    Neither deep nesting nor a cycle matters.
    """
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        value = waiting.pop()
        if is_scalar(value) or id(value) in seen:
            continue
        seen.add(id(value))
        yield value
        waiting.extend(_children(value))


def _children(value: object) -> list[object]:
    if type(value) in (dict, OrderedDict):
        return [*value.keys(), *value.values()]  # type: ignore[attr-defined]
    if type(value) in (list, tuple, set, frozenset):
        return list(value)  # type: ignore[call-overload, no-any-return]
    if isinstance(value, np.ndarray):
        return value.ravel().tolist() if value.dtype.hasobject else []
    return list(getattr(value, "__dict__", {}).values()) if not isinstance(value, type) else []
