"""What each pickle opcode does when a model file is read.

Each opcode that calls, builds or fills something is replaced; those that reach outside the
file are refused.
"""

import pickle  # noqa: TID251 - the reader itself; every dangerous opcode is replaced
import struct
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, Protocol

from scoring.model_files.array_reading import is_scalar
from scoring.model_files.building_blocks import type_name
from scoring.model_files.model_faults import ModelFaultError, shown

# A forest of 1,000 trees takes 0.2 million steps. Every step may make one small object, so
# this also bounds memory: 4 million empty sets are 0.9 GB.
_MOST_STEPS: Final = 4_000_000
_LARGEST_INT: Final = 2**256  # the entropy of a seed has 128 bits; larger ones only cost time


class Reader(Protocol):
    """What the steps need of the unpickler."""

    append: Callable[[object], None]
    pop_mark: Callable[[], list[Any]]
    read: Callable[[int], bytes]
    stack: list[Any]

    def call(self, function: object, args: object) -> object:
        """Make what a name and its arguments stand for."""

    def instance(self, cls: object, args: object) -> object:
        """Make an empty instance of a class."""

    def build(self, target: object, state: object) -> object:
        """Apply state to an object."""


Step = Callable[[Any], None]


def _load_reduce(reader: Reader) -> None:
    args = reader.stack.pop()
    reader.stack[-1] = reader.call(reader.stack[-1], args)


def _load_newobj(reader: Reader) -> None:
    args = reader.stack.pop()
    reader.stack[-1] = reader.instance(reader.stack[-1], args)


def _load_build(reader: Reader) -> None:
    state = reader.stack.pop()
    reader.stack[-1] = reader.build(reader.stack[-1], state)


def _load_append(reader: Reader) -> None:
    value = reader.stack.pop()
    _as_list(reader.stack[-1]).append(value)


def _load_appends(reader: Reader) -> None:
    values = reader.pop_mark()
    _as_list(reader.stack[-1]).extend(values)


def _as_list(target: object) -> list[object]:
    if type(target) is not list:
        raise ModelFaultError(f"appends to a {shown(type_name(target))}")
    return target


def _load_setitem(reader: Reader) -> None:
    value = reader.stack.pop()
    key = reader.stack.pop()
    _set_items(reader.stack[-1], [key, value])


def _load_setitems(reader: Reader) -> None:
    items = reader.pop_mark()
    _set_items(reader.stack[-1], items)


def _load_dict(reader: Reader) -> None:
    items = reader.pop_mark()
    reader.append({})
    _set_items(reader.stack[-1], items)


def _set_items(target: object, items: list[object]) -> None:
    if type(target) not in (dict, OrderedDict):
        raise ModelFaultError(f"sets items of a {shown(type_name(target))}")
    _check_keys(items[::2])
    target.update(zip(items[::2], items[1::2], strict=True))  # type: ignore[attr-defined]


def _load_additems(reader: Reader) -> None:
    items = reader.pop_mark()
    target = reader.stack[-1]
    if type(target) is not set:
        raise ModelFaultError(f"adds items to a {shown(type_name(target))}")
    _check_keys(items)
    target.update(items)


def _load_frozenset(reader: Reader) -> None:
    items = reader.pop_mark()
    _check_keys(items)
    reader.append(frozenset(items))


def _check_keys(keys: list[object]) -> None:
    if not all(is_scalar(key) for key in keys):
        raise ModelFaultError("holds a key that is no text or number")


def _load_bytearray8(reader: Reader) -> None:
    (size,) = struct.unpack("<Q", reader.read(8))
    raw = bytearray(reader.read(size))
    if len(raw) != size:
        raise ModelFaultError("is damaged: it ends inside its bytes")
    reader.append(raw)


def _bounded(step: Step) -> Step:
    def load_int(reader: Reader) -> None:
        step(reader)
        if abs(reader.stack[-1]) > _LARGEST_INT:
            raise ModelFaultError("holds a whole number of more than 256 bits")

    return load_int


def _refused(what: str) -> Step:
    def refuse(reader: Reader) -> None:
        del reader
        raise ModelFaultError(f"holds {what}, which no model needs")

    return refuse


def _steps() -> dict[int, Step]:
    steps: dict[int, Step] = dict(pickle._Unpickler.dispatch)  # noqa: SLF001 - only Python has the steps one by one
    for opcode in (pickle.INT, pickle.LONG, pickle.LONG1, pickle.LONG4):
        steps[opcode[0]] = _bounded(steps[opcode[0]])
    for opcode in (pickle.EXT1, pickle.EXT2, pickle.EXT4):
        steps[opcode[0]] = _refused("an extension code")
    for opcode in (pickle.PERSID, pickle.BINPERSID):
        steps[opcode[0]] = _refused("a persistent id")
    for opcode in (pickle.NEXT_BUFFER, pickle.READONLY_BUFFER):
        steps[opcode[0]] = _refused("a buffer outside the file")
    for opcode in (pickle.INST, pickle.OBJ, pickle.NEWOBJ_EX):
        steps[opcode[0]] = _refused("an instance made with arguments")
    return steps | {
        pickle.REDUCE[0]: _load_reduce,
        pickle.NEWOBJ[0]: _load_newobj,
        pickle.BUILD[0]: _load_build,
        pickle.APPEND[0]: _load_append,
        pickle.APPENDS[0]: _load_appends,
        pickle.SETITEM[0]: _load_setitem,
        pickle.SETITEMS[0]: _load_setitems,
        pickle.DICT[0]: _load_dict,
        pickle.ADDITEMS[0]: _load_additems,
        pickle.FROZENSET[0]: _load_frozenset,
        pickle.BYTEARRAY8[0]: _load_bytearray8,
    }


_STEPS: Final = _steps()


class Opcodes(dict[int, Step]):
    """The steps for one file, counted so that a short file cannot work for long."""

    def __init__(self) -> None:
        super().__init__()
        self._left = _MOST_STEPS

    def __getitem__(self, opcode: int) -> Step:
        self._left -= 1
        if self._left < 0:
            raise ModelFaultError(f"takes more than {_MOST_STEPS} steps to read")
        step = _STEPS.get(opcode)
        if step is None:
            raise ModelFaultError("is damaged: it is no pickle", "publish a joblib file")
        return step
