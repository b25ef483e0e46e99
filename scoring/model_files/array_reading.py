"""NumPy dtypes, arrays and numbers from a model file, checked before NumPy sees them."""

import math
import re
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from scoring.model_files.model_faults import ModelFaultError

AnyArray = npt.NDArray[Any]
AnyDtype = np.dtype[Any]

# Booleans, integers, floats, text, bytes, structs and object references. Object items are
# limited to `SCALARS` below. Four digits bound one item to 10 kB.
_CODE: Final = re.compile(r"[?biufOSUV]\d{0,4}")
_NUMBERS: Final = "biuf"
_PLAIN_STATE_ITEMS: Final = 8  # version 3 of NumPy's dtype state; 9 items would hold metadata
_ARRAY_STATE_ITEMS: Final = 5
_MOST_DIMENSIONS: Final = 4  # a tree's values have 3

# What an object array may hold, and what may be a key: nothing that holds other objects.
# Nested object arrays would overflow the C stack, nested keys take exponential time to hash.
SCALARS: Final = (str, int, float, bool, bytes, type(None))


def is_scalar(value: object) -> bool:
    """Say whether a value is one plain or NumPy number, text or None."""
    return type(value) in SCALARS or (
        isinstance(value, np.generic) and not isinstance(value, np.void)
    )


def new_dtype(*args: object) -> AnyDtype:
    """Make a dtype of its own from a code such as ``f8``."""
    code = args[0] if args else None
    if type(code) is not str or not _CODE.fullmatch(code):
        raise ModelFaultError("holds an array type that no supported model has")
    return np.dtype(code, copy=True)


def set_dtype_state(dtype: AnyDtype, state: object) -> None:
    """Give a fresh dtype its byte order or fields.

    NumPy would believe any state: fields beyond the item read foreign memory, an object field
    in disguise calls through raw bytes. So the state is only read for the names, types and
    offsets, and NumPy's own constructor makes the state that is applied.
    """
    if type(state) is not tuple or len(state) != _PLAIN_STATE_ITEMS or state[2] is not None:
        raise ModelFaultError("holds an array type with an unreadable description")
    expected = _with_fields(dtype, state[3], state[4]) if state[3] else _ordered(dtype, state[1])
    if expected.itemsize != dtype.itemsize:
        raise ModelFaultError("holds an array type whose size contradicts its fields")
    if dtype.names is None:
        setter: Any = dtype
        setter.__setstate__(expected.__reduce__()[2])


def _ordered(dtype: AnyDtype, order: object) -> AnyDtype:
    if order not in ("<", ">", "|", "="):
        raise ModelFaultError("holds an array type with an unknown byte order")
    return dtype if order in ("|", "=") else dtype.newbyteorder(str(order))  # type: ignore[arg-type]


def _with_fields(dtype: AnyDtype, names: object, fields: object) -> AnyDtype:
    if dtype.kind != "V" or type(names) is not tuple or type(fields) is not dict:
        raise ModelFaultError("holds an array type with unreadable fields")
    formats, offsets = [], []
    for name in names:
        field = fields.get(name)
        if type(field) is not tuple or len(field) != 2 or not isinstance(field[0], np.dtype):  # noqa: PLR2004 - (dtype, offset)
            raise ModelFaultError("holds an array type with an unreadable field")
        if field[0].kind not in _NUMBERS or type(field[1]) is not int:
            raise ModelFaultError("holds an array type with a field that is no number")
        if not 0 <= field[1] <= dtype.itemsize - field[0].itemsize:
            raise ModelFaultError("holds an array type with a field outside of its items")
        formats.append(field[0])
        offsets.append(field[1])
    return np.dtype(
        {
            "names": list(names),
            "formats": formats,
            "offsets": offsets,
            "itemsize": dtype.itemsize,
        }
    )


def empty_array(*args: object) -> AnyArray:
    """Make the empty array that an array's state is applied to; the arguments say no more."""
    del args
    return np.empty(0, np.int8)


def set_array_state(array: AnyArray, state: object) -> None:
    """Give an array from `empty_array` its shape, dtype and items."""
    if array.size or array.base is not None:
        raise ModelFaultError("sets the contents of an array twice")
    if type(state) is not tuple or len(state) != _ARRAY_STATE_ITEMS:
        raise ModelFaultError("holds an array with an unreadable description")
    _, shape, dtype, fortran, items = state
    sizes = checked_shape(shape)
    setter: Any = array
    setter.__setstate__((1, sizes, dtype, bool(fortran), _checked_items(dtype, sizes, items)))


def _checked_items(dtype: object, shape: tuple[int, ...], items: object) -> bytes | list[object]:
    if not isinstance(dtype, np.dtype):
        raise ModelFaultError("holds an array without a type")
    if dtype.hasobject:
        return _checked_objects(dtype, shape, items)
    if type(items) is not bytes or len(items) != math.prod(shape) * dtype.itemsize:
        raise ModelFaultError("holds an array whose bytes contradict its shape")
    return items


def _checked_objects(dtype: AnyDtype, shape: tuple[int, ...], items: object) -> list[object]:
    if dtype.kind != "O" or type(items) is not list or len(items) != math.prod(shape):
        raise ModelFaultError("holds an object array whose items contradict its shape")
    if not all(is_scalar(item) for item in items):
        raise ModelFaultError("holds an array of objects other than texts and numbers")
    return list(items)


def checked_shape(shape: object) -> tuple[int, ...]:
    """Return a shape if it is one: few whole numbers from 0 on."""
    if type(shape) is int:
        shape = (shape,)
    if (
        type(shape) is not tuple
        or len(shape) > _MOST_DIMENSIONS
        or not all(type(size) is int and size >= 0 for size in shape)
    ):
        raise ModelFaultError("holds an array with an impossible shape")
    return shape


def new_scalar(*args: object) -> object:
    """Make one NumPy number from its dtype and bytes."""
    dtype, raw = args
    if not isinstance(dtype, np.dtype) or dtype.hasobject or dtype.kind == "V":
        raise ModelFaultError("holds a NumPy value that is no number or text")
    if type(raw) is not bytes or len(raw) != dtype.itemsize or not raw:
        raise ModelFaultError("holds a NumPy number whose bytes contradict its type")
    return np.frombuffer(raw, dtype)[0]


def array_from_buffer(*args: object) -> AnyArray:
    """Make an array from in-band bytes, as pickle protocol 5 has it."""
    buffer, dtype, shape, order = args[:4]
    if type(buffer) not in (bytes, bytearray):
        raise ModelFaultError("holds an array outside its own bytes")
    return array_from_bytes(buffer, dtype, shape, order)


def array_from_bytes(raw: object, dtype: object, shape: object, order: object) -> AnyArray:
    """Make a writable, aligned array of native byte order that shares no memory with `raw`."""
    sizes = checked_shape(shape)
    check_bytes_needed(dtype, sizes, len(raw))  # type: ignore[arg-type]  # bytes or bytearray
    if order not in ("C", "F") or not isinstance(dtype, np.dtype):
        raise ModelFaultError("holds an array with an unreadable description")
    if not dtype.itemsize:
        return np.empty(sizes, dtype)
    flat: AnyArray = np.frombuffer(raw, dtype)  # type: ignore[call-overload]  # the same
    array = flat.reshape(sizes, order="F" if order == "F" else "C").copy(order="K")
    return array if dtype.isnative else array.astype(dtype.newbyteorder("="))


def check_bytes_needed(dtype: object, shape: tuple[int, ...], available: int) -> int:
    """Return how many bytes an array's items take, which must be there in full.

    Raises
    ------
    ModelFaultError
        If `dtype` is none of numbers and text, or the items need more than `available`.
    """
    if not isinstance(dtype, np.dtype) or dtype.hasobject:
        raise ModelFaultError("holds an array of objects in place of numbers")
    needed = math.prod(shape) * dtype.itemsize
    if needed > available:
        raise ModelFaultError(f"claims an array of {needed} bytes where {available} are left")
    return needed
