"""What stands for each name in a model file that is no plain class of attributes.

None of these names is called with what a file says. Each has a function here that checks its
arguments and makes the same thing, or a placeholder where the thing itself is not needed.
"""

import importlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from scoring.model_files.allowed_types import ATTRIBUTE_TYPES
from scoring.model_files.array_reading import (
    array_from_buffer,
    empty_array,
    is_scalar,
    new_dtype,
    new_scalar,
    set_array_state,
    set_dtype_state,
)
from scoring.model_files.decision_trees import new_tree, set_tree_state
from scoring.model_files.model_faults import ModelFaultError, not_allowed, shown
from scoring.model_files.neighbour_trees import UnbuiltTree, Unused

_MT19937_WORDS: Final = 624  # length of the generator's state; its position is an index into it
_LONGEST_VERSION: Final = 40


@dataclass(frozen=True, slots=True)
class AllowedName:
    """A name on the list, as a file mentions it; never the object that it names."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class ArrayHeader:
    """Stands where a joblib file announces the bytes of an array."""


def new_instance(name: str) -> object:
    """Make an empty instance of a class of attributes, without calling its code."""
    if name == "joblib.numpy_pickle.NumpyArrayWrapper":
        return ArrayHeader()
    if name not in ATTRIBUTE_TYPES:
        raise not_allowed(f"an instance of {name}")
    module, _, class_name = name.rpartition(".")
    cls = getattr(importlib.import_module(module), class_name)
    instance: object = object.__new__(cls)
    return instance


def type_name(value: object) -> str:
    """Return the full name of a value's class."""
    return f"{type(value).__module__}.{type(value).__qualname__}"


def set_attributes(instance: object, state: object) -> None:
    """Give an empty instance its attributes.

    Raises
    ------
    ModelFaultError
        If an attribute would stand before a method or property of the class, which would then
        be called in its place.
    """
    if type(state) is not dict:
        raise ModelFaultError(f"holds a {type_name(instance)} without attributes")
    for key in state:
        check_attribute_name(type(instance), key)
    _check_version(state.get("_sklearn_version", ""))
    set_state = getattr(type(instance), "__setstate__", None)
    if set_state is None:
        vars(instance).update(state)
    else:
        set_state(instance, dict(state))


def check_attribute_name(cls: type, key: object) -> None:
    """Refuse an attribute that would stand before a method or property of its class."""
    full = f"{cls.__module__}.{cls.__qualname__}"
    if type(key) is not str or key.startswith("__"):
        raise ModelFaultError(f"holds a {full} with the attribute {shown(key)}")
    of_class = getattr(cls, key, None)
    if callable(of_class) or hasattr(type(of_class), "__get__"):
        raise ModelFaultError(f"holds a {full} whose {shown(key)} hides that of its class")


def _check_version(version: object) -> None:
    if type(version) is not str or len(version) > _LONGEST_VERSION:
        raise ModelFaultError("holds a scikit-learn version that is no version")


def new_random_state(*args: object) -> np.random.RandomState:
    """Make a generator; its state follows."""
    del args
    return np.random.RandomState(0)


def set_random_state(generator: np.random.RandomState, state: object) -> None:
    """Set a Mersenne Twister, whose C code would follow any position out of its words."""
    words = state["state"] if type(state) is dict else None
    if type(state) is not dict or type(words) is not dict or state["bit_generator"] != "MT19937":
        raise ModelFaultError("holds a random_state other than a Mersenne Twister")
    key, position = words["key"], words["pos"]
    if not isinstance(key, np.ndarray) or key.dtype != np.uint32 or key.shape != (_MT19937_WORDS,):
        raise ModelFaultError("holds a random_state with an impossible key")
    if type(position) is not int or not 0 <= position <= _MT19937_WORDS:
        raise ModelFaultError("holds a random_state with an impossible position")
    has_gauss, gauss = int(state["has_gauss"]), float(state["gauss"])
    generator.set_state(("MT19937", key, position, has_gauss, gauss))


def _hinge(*args: object) -> object:
    from sklearn.linear_model._sgd_fast import Hinge  # noqa: PLC0415 - only for SGDOneClassSVM

    (threshold,) = args
    if type(threshold) is not float:
        raise ModelFaultError("holds a hinge loss whose threshold is no number")
    return Hinge(threshold)


def _encode(*args: object) -> bytes:
    text, encoding = args
    if type(text) is not str or encoding != "latin1":
        raise ModelFaultError("holds bytes in an encoding other than latin1")
    return text.encode("latin1")


def _empty_bytes(*args: object) -> bytes:
    if args:
        raise ModelFaultError("holds bytes that are made from something else")
    return b""


def _bytearray(*args: object) -> bytearray:
    if len(args) != 1 or type(args[0]) is not bytes:
        raise ModelFaultError("holds a bytearray that is made from something else than bytes")
    return bytearray(args[0])


def scalar_set(*args: object) -> set[object]:
    """Make a set of texts and numbers."""
    (items,) = args
    if type(items) is not list or not all(is_scalar(item) for item in items):
        raise ModelFaultError("holds a set of other things than texts and numbers")
    return set(items)


def _ordered_dict(*args: object) -> OrderedDict[object, object]:
    if args:
        raise ModelFaultError("holds an OrderedDict that is made from something else")
    return OrderedDict()


def _reconstructed(*args: object) -> object:
    cls, base, state = args
    if not isinstance(cls, AllowedName) or base != AllowedName("builtins.object") or state:
        raise ModelFaultError("holds an instance that is no plain class of attributes")
    return new_instance(cls.name)


def _unused(*args: object) -> Unused:
    del args
    return Unused()


def _unbuilt_tree(*args: object) -> UnbuiltTree:
    del args
    return UnbuiltTree()


CONSTRUCTORS: Final[Mapping[str, Callable[..., object]]] = MappingProxyType(
    {
        "_codecs.encode": _encode,
        "builtins.bytearray": _bytearray,
        "builtins.bytes": _empty_bytes,
        "builtins.set": scalar_set,
        "collections.OrderedDict": _ordered_dict,
        "copyreg._reconstructor": _reconstructed,
        "numpy._core.multiarray._reconstruct": empty_array,
        "numpy._core.multiarray.scalar": new_scalar,
        "numpy._core.numeric._frombuffer": array_from_buffer,
        "numpy.dtype": new_dtype,
        "numpy.random._pickle.__bit_generator_ctor": _unused,
        "numpy.random._pickle.__randomstate_ctor": new_random_state,
        "numpy.random.bit_generator.__pyx_unpickle_SeedSequence": _unused,
        "sklearn.linear_model._sgd_fast.Hinge": _hinge,
        "sklearn.metrics._dist_metrics.newObj": _unused,
        "sklearn.neighbors._ball_tree.newObj": _unbuilt_tree,
        "sklearn.neighbors._kd_tree.newObj": _unbuilt_tree,
        "sklearn.tree._tree.Tree": new_tree,
    }
)


def _ignore(*args: object) -> None:
    del args


_StateSetter = Callable[[Any, object], None]

_ATTRIBUTE_SETTERS: Final[dict[str, _StateSetter]] = dict.fromkeys(ATTRIBUTE_TYPES, set_attributes)
_STATE_SETTERS: Final[Mapping[str, _StateSetter]] = MappingProxyType(
    _ATTRIBUTE_SETTERS
    | {
        "numpy.ndarray": set_array_state,
        "numpy.random.mtrand.RandomState": set_random_state,
        "scoring.model_files.neighbour_trees.UnbuiltTree": _ignore,
        "scoring.model_files.neighbour_trees.Unused": _ignore,
        "sklearn.tree._tree.Tree": set_tree_state,
    }
)


def set_state(target: object, state: object) -> None:
    """Apply state from a file to an object that was made here.

    Raises
    ------
    ModelFaultError
        If the target is anything else, such as a class, whose attributes the whole process
        shares.
    """
    if isinstance(target, AllowedName):
        raise ModelFaultError(f"sets attributes of {target.name} itself, which is no instance")
    if isinstance(target, np.dtype):
        set_dtype_state(target, state)
        return
    setter = _STATE_SETTERS.get(type_name(target))
    if setter is None:
        raise ModelFaultError(f"sets the state of a {shown(type_name(target))}")
    setter(target, state)
