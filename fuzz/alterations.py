"""Alters fitted models in place: any part of them becomes something that it should not be."""

import pickle  # noqa: TID251 - copies models of ours
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

_MOST_SLOTS = 5_000
_MOST_ITEMS = 8  # of an array
_COMPILED = {"Tree", "KDTree", "BallTree"}

STRANGE: tuple[Callable[[], object], ...] = (
    lambda: None,
    lambda: -1,
    lambda: 0,
    lambda: -2,
    lambda: 7,
    lambda: 10**9,
    lambda: 2**63,
    lambda: 2**255,
    lambda: True,
    lambda: float("nan"),
    lambda: float("inf"),
    lambda: 1e308,
    lambda: "",
    lambda: "a\nb",
    lambda: "\ud800",
    lambda: "../x",
    lambda: "x" * 5_000,
    lambda: b"\x00\xff",
    list,
    dict,
    tuple,
    set,
    lambda: [[[[]]]],
    lambda: ("a", "b"),
    lambda: np.float64("nan"),
    lambda: np.int64(-(2**63)),
    lambda: np.empty(0),
    lambda: np.array(5.0),
    lambda: np.array("score"),
    lambda: np.zeros((2, 2)),
    lambda: np.zeros(3, np.int32),
    lambda: np.full((3, 3), np.nan),
    lambda: np.array([1e308] * 3),
    lambda: np.array(["a", None, 1.5], object),
    lambda: np.zeros((0, 3)),
    lambda: np.zeros((1, 1, 1, 1)),
    lambda: np.zeros(3, "S7"),
    lambda: np.array([1, 2, 3], ">f4"),
    lambda: np.zeros(2, [("a", "f8"), ("b", "i4")]),
)


class Parts:
    """Stands for a compiled object: what its pickle is made of, open to alteration."""

    def __init__(self, reduced: tuple[Any, ...]) -> None:
        self.parts = list(reduced)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as what it stands for."""
        return tuple(self.parts)


def opened(pickled: bytes) -> list[Any]:
    """Read a model of ours, and put `Parts` in the place of its compiled trees."""
    root = [pickle.loads(pickled)]  # noqa: S301  # our own
    for holder, key, value in list(slots(root)):
        if type(value).__name__ in _COMPILED:
            _set(holder, key, Parts(_reduced(value)))
    return root


def _reduced(value: Any) -> tuple[Any, ...]:
    function, args, *state = value.__reduce__()
    return (function, tuple(args), *state)


def slots(root: object) -> Iterator[tuple[Any, Any, Any]]:
    """Yield every place in a model that holds a value: its holder, its key there, the value."""
    seen: set[int] = set()
    waiting: list[Any] = [root]
    while waiting and len(seen) < _MOST_SLOTS:
        holder = waiting.pop()
        if id(holder) in seen:
            continue
        seen.add(id(holder))
        for key, value in _items(holder):
            yield holder, key, value
            waiting.append(value)


def _items(holder: Any) -> list[tuple[Any, Any]]:
    if isinstance(holder, dict):
        return list(holder.items())
    if isinstance(holder, list | tuple):
        return list(enumerate(holder))
    if isinstance(holder, np.ndarray):
        return _array_items(holder)
    return (
        list(vars(holder).items()) if hasattr(holder, "__dict__") and not callable(holder) else []
    )


def _array_items(array: np.ndarray[Any, Any]) -> list[tuple[Any, Any]]:
    n = min(array.size, _MOST_ITEMS)
    if array.dtype.names is None:
        return [(place, array.flat[place]) for place in range(n)]
    return [
        ((name, place), array[name].flat[place]) for name in array.dtype.names for place in range(n)
    ]


def alter(root: list[Any], choices: Iterator[int]) -> None:
    """Make one change: a value that does not fit, a copy of another, a larger array, a key."""
    places = list(slots(root))
    holder, key, value = places[(next(choices) * 256 + next(choices)) % len(places)]
    way, pick = next(choices), next(choices)
    if way % 4 == 1:  # a quarter of the ways
        new: object = places[pick % len(places)][2]
    elif isinstance(value, np.ndarray) and value.ndim and way % 4 == 2:  # noqa: PLR2004  # the same
        new = _reshaped(value, pick)
    else:
        new = STRANGE[pick % len(STRANGE)]()
    _set(holder, key, new)


def _reshaped(array: np.ndarray[Any, Any], pick: int) -> object:
    ways: tuple[Callable[[], object], ...] = (
        lambda: array[:-1],
        lambda: np.concatenate([array, array]),
        lambda: array.astype(np.float32) if array.dtype.kind in "fiu" else array,
        lambda: array.T,
        lambda: array[None],
        array.ravel,
        lambda: np.asfortranarray(array),
        lambda: array.astype(object) if array.dtype.names is None else array,
    )
    return ways[pick % len(ways)]()


def _set(holder: Any, key: Any, value: object) -> None:
    """Put a value in its place; a tuple or a fixed array keeps what it has if it cannot."""
    try:
        if isinstance(holder, np.ndarray) and isinstance(key, tuple):
            holder[key[0]].flat[key[1]] = value
        elif isinstance(holder, np.ndarray):
            holder.flat[key] = value
        elif isinstance(holder, dict | list):
            holder[key] = value
        else:
            vars(holder)[key] = value
    except (TypeError, ValueError, OverflowError):
        return
