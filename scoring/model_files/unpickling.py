"""Reading of pickle and joblib files in which nothing can run.

Names become `AllowedName`, not the objects they name, so nothing that can be called is ever
at hand; what may be made is made by `scoring.model_files.building_blocks`.
"""

import _compat_pickle
import importlib
import io
import pickle  # noqa: TID251 - the reader itself
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from scoring.model_files.allowed_types import present_name
from scoring.model_files.array_reading import array_from_bytes, check_bytes_needed, checked_shape
from scoring.model_files.building_blocks import (
    CONSTRUCTORS,
    AllowedName,
    ArrayHeader,
    new_instance,
    set_state,
    type_name,
)
from scoring.model_files.model_faults import ModelFaultError, not_allowed, shown
from scoring.model_files.pickle_opcodes import Opcodes

_ARRAY_PADDING: Final = 16  # joblib's alignment


class ModelUnpickler(pickle._Unpickler):  # noqa: SLF001 - the C one cannot replace opcodes
    """Reads one pickle or joblib stream.

    Parameters
    ----------
    file : BytesIO
        The stream, decompressed.
    trusted : frozenset of str
        Further names, resolved and called as plain pickle does.
    nested : bool
        Whether this is the pickle of an object array inside another stream.
    """

    # Attributes of the base class, which has no types.
    append: Callable[[object], None]
    pop_mark: Callable[[], list[Any]]
    proto: int
    read: Callable[[int], bytes]
    stack: list[Any]
    _unframer: Any

    def __init__(self, file: io.BytesIO, trusted: frozenset[str], *, nested: bool = False) -> None:
        super().__init__(file)
        self._file = file
        self._trusted = trusted
        self._nested = nested
        self._trusted_objects: dict[int, object] = {}
        self.dispatch = Opcodes()  # type: ignore[misc]  # pickle looks it up on the instance

    def find_class(self, module: str, name: str) -> Any:
        """Resolve a name: to itself if it is allowed, to its object if it is trusted."""
        if self.proto < 3:  # noqa: PLR2004 - later protocols use the names of Python 3
            pair = _compat_pickle.NAME_MAPPING.get((module, name))
            module = _compat_pickle.IMPORT_MAPPING.get(module, module)
            module, name = pair or (module, name)
        allowed = present_name(module, name)
        if allowed is not None:
            return AllowedName(allowed)
        if f"{module}.{name}" not in self._trusted or "." in name:
            raise not_allowed(f"{module}.{name}")
        found = getattr(importlib.import_module(module), name)
        self._trusted_objects[id(found)] = found
        return found

    def remaining(self) -> int:
        """Return the bytes after the current place, an open frame's not counted."""
        return len(self._file.getbuffer()) - self._file.tell()

    def frame_left(self) -> bool:
        """Say whether a frame is open with bytes unread."""
        frame = self._unframer.current_frame
        return bool(frame and frame.tell() < len(frame.getbuffer()))

    def is_trusted(self, value: object) -> bool:
        """Say whether a value is an object whose exact name the operator trusts."""
        return id(value) in self._trusted_objects

    def call(self, function: object, args: object) -> object:
        """Make what a name and its arguments stand for."""
        if type(args) is not tuple:
            raise ModelFaultError("calls something without arguments")
        if isinstance(function, AllowedName):
            constructor = CONSTRUCTORS.get(function.name)
            if constructor is None:
                raise ModelFaultError(f"calls {function.name}, which is only allowed as data")
            return constructor(*args)
        if callable(function) and self.is_trusted(function):
            return function(*args)
        raise ModelFaultError(f"calls a {shown(type_name(function))}, which is no allowed name")

    def instance(self, cls: object, args: object) -> object:
        """Make an empty instance of a class."""
        if isinstance(cls, AllowedName) and args == ():
            return new_instance(cls.name)
        if isinstance(cls, type) and self.is_trusted(cls) and type(args) is tuple:
            return cls.__new__(cls, *args)
        raise ModelFaultError(f"makes an instance of {shown(cls)} with arguments")

    def build(self, target: object, state: object) -> object:
        """Apply state to an object; a joblib header becomes the array after it."""
        if type(target) is ArrayHeader:
            return self._read_array(state)
        if self.is_trusted(type(target)):
            _set_trusted_state(target, state)
        else:
            set_state(target, state)
        return target

    def _read_array(self, header: object) -> object:
        if type(header) is not dict or self.frame_left() or self._nested:
            raise ModelFaultError("holds an array with an unreadable header")
        dtype, shape = header["dtype"], checked_shape(header["shape"])
        if header["subclass"] != AllowedName("numpy.ndarray"):
            raise ModelFaultError("holds an array of another class than numpy.ndarray")
        if isinstance(dtype, np.dtype) and dtype.hasobject:
            return self._read_objects()
        if header.get("numpy_array_alignment_bytes") is not None:
            padding = self._file.read(1)
            if padding[0] > _ARRAY_PADDING:
                raise ModelFaultError("holds an array with impossible padding")
            self._file.read(padding[0])
        needed = check_bytes_needed(dtype, shape, self.remaining())
        return array_from_bytes(self._file.read(needed), dtype, shape, header["order"])

    def _read_objects(self) -> object:
        inner = ModelUnpickler(self._file, self._trusted, nested=True)
        inner.dispatch = self.dispatch  # type: ignore[misc]  # one budget of steps for the file
        array = inner.load()
        if not isinstance(array, np.ndarray):
            raise ModelFaultError("holds an object array that is no array")
        return array


def _set_trusted_state(target: Any, state: Any) -> None:
    setter = getattr(type(target), "__setstate__", None)
    if setter is not None:
        setter(target, state)
    elif type(state) is dict:
        vars(target).update(state)
    else:
        raise ModelFaultError(f"holds a {shown(type_name(target))} without attributes")


def unpickle(data: bytes, trusted: frozenset[str]) -> object:
    """Read a pickle or joblib file.

    Raises
    ------
    ModelFaultError
        If it holds anything that is not allowed, or bytes after its end.
    """
    reader = ModelUnpickler(io.BytesIO(data), trusted)
    graph = reader.load()
    if reader.remaining() or reader.frame_left():
        raise ModelFaultError("is damaged: bytes follow its end", "upload it again")
    return graph
