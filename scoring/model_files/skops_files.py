"""Reading of skops files with the same checks as pickle files.

A skops file is a zip of ``schema.json``, a tree of nodes, beside one ``.npy`` file an array.
skops itself trusts every class of scikit-learn and every function of NumPy, and applies the C
state of trees unseen, so the nodes are built here, by `scoring.model_files.building_blocks`.
"""

import importlib
import io
import json
import math
import re
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from scoring.model_files.allowed_types import present_name
from scoring.model_files.array_reading import (
    AnyArray,
    array_from_bytes,
    check_bytes_needed,
    checked_shape,
    is_scalar,
)
from scoring.model_files.building_blocks import CONSTRUCTORS, new_instance, set_state
from scoring.model_files.model_faults import ModelFaultError, not_allowed, shown
from scoring.model_files.neighbour_trees import UnbuiltTree

_MOST_FILES: Final = 200_000  # a forest of 1,000 trees has 6,000 arrays; twenty times that fits
_ARRAY_FILE: Final = re.compile(r"[\w-]{1,64}\.npy")
_NEWEST_PROTOCOL: Final = 2  # of the schema; skops counts it up when a node changes
_LARGEST_SCHEMA: Final = 64 * 2**20  # 1,000 trees take 20 MB; JSON unfolds to 20 times that
_LONGEST_HEADER: Final = 10_000  # NumPy's own bound
_NEIGHBOUR_TREES: Final = (
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
)
_KEY_TYPES: Final = {"builtins.str": str, "builtins.int": int, "builtins.float": float}

Node = dict[str, Any]


def read_skops(data: bytes, trusted: frozenset[str], *, most: int) -> object:
    """Read a skops file.

    Parameters
    ----------
    data : bytes
        The zip file.
    trusted : frozenset of str
        Exact names that the operator allows besides.
    most : int
        Bytes that all its parts may have together.

    Raises
    ------
    ModelFaultError
        If it holds anything that is not allowed.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        _check_parts(archive, most)
        schema = json.loads(_read_part(archive, "schema.json", _LARGEST_SCHEMA))
        protocol = schema["protocol"]
        if type(protocol) is not int or not 0 <= protocol <= _NEWEST_PROTOCOL:
            raise ModelFaultError("was written by an unknown version of skops")
        return _Reader(archive, trusted, most).value(schema)


def _check_parts(archive: zipfile.ZipFile, most: int) -> None:
    parts = archive.infolist()
    if len(parts) > _MOST_FILES or len({part.filename for part in parts}) != len(parts):
        raise ModelFaultError("holds too many parts, or two of one name")
    for part in parts:
        if part.filename != "schema.json" and not _ARRAY_FILE.fullmatch(part.filename):
            raise ModelFaultError(f"holds the part {shown(part.filename)}, which is no array")
        if part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ModelFaultError("is compressed in a way that cannot be bounded")
    if sum(part.file_size for part in parts) > most:
        raise ModelFaultError(
            f"is larger than {most} bytes after decompression", "publish a smaller model"
        )


def _read_part(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    part = archive.getinfo(name)
    if part.file_size > most:
        raise ModelFaultError(f"holds a {shown(name)} of more than {most} bytes")
    with archive.open(part) as stream:
        # Without a size zipfile decompresses all there is before it looks at the size.
        return stream.read(part.file_size)


class _Reader:
    """Builds nodes into values; a value met again by its id is the same object."""

    def __init__(self, archive: zipfile.ZipFile, trusted: frozenset[str], most: int) -> None:
        self._archive = archive
        self._trusted = trusted
        self._most = most
        self._arrays: dict[str, AnyArray] = {}
        self._made: dict[int, object] = {}

    def value(self, node: Node) -> Any:
        """Build one node."""
        key = node.get("__id__")
        if type(key) is int and key in self._made:
            return self._made[key]
        loader = _LOADERS.get(node["__loader__"])
        if loader is None:
            raise not_allowed(f"{_name(node)} ({shown(node['__loader__'])})")
        value = loader(self, node)
        if type(key) is int:
            self._made[key] = value
        return value

    def json(self, node: Node) -> object:
        value = json.loads(node["content"])
        if not is_scalar(value):
            raise ModelFaultError("holds nested values in place of one")
        return value

    def dict(self, node: Node) -> object:
        name = _name_in(node, ("builtins.dict", "collections.OrderedDict"))
        types = [_key_type(key) for key in node["key_types"]["content"]]
        pairs = zip(types, node["content"].items(), strict=True)
        items = {of_type(key): self.value(child) for of_type, (key, child) in pairs}
        return items if name == "builtins.dict" else OrderedDict(items)

    def list(self, node: Node) -> object:
        _name_in(node, ("builtins.list",))
        return [self.value(child) for child in node["content"]]

    def tuple(self, node: Node) -> object:
        _name_in(node, ("builtins.tuple",))
        return tuple(self.value(child) for child in node["content"])

    def set(self, node: Node) -> object:
        _name_in(node, ("builtins.set",))
        return CONSTRUCTORS["builtins.set"]([self.value(child) for child in node["content"]])

    def array(self, node: Node) -> object:
        name = _name(node)
        if node["type"] == "json":
            _name_in(node, ("numpy.ndarray",))
            return self._object_array(node)
        array = self._array_in(node["file"])
        if name == "numpy.ndarray":
            return array
        number = array[()]
        if name != f"numpy.{type(number).__name__}" or not is_scalar(number):
            raise not_allowed(name)
        return number

    def _array_in(self, part: str) -> AnyArray:
        if part not in self._arrays:
            self._arrays[part] = _read_npy(_read_part(self._archive, part, self._most))
        return self._arrays[part]

    def _object_array(self, node: Node) -> AnyArray:
        items = [self.value(child) for child in node["content"]]
        shape = checked_shape(self.value(node["shape"]))
        if len(shape) != 1 or len(items) != math.prod(shape) or not all(map(is_scalar, items)):
            raise ModelFaultError("holds an array of objects other than texts and numbers")
        array = np.empty(shape, object)
        array[:] = items
        return array

    def dtype(self, node: Node) -> object:
        _name_in(node, ("numpy.dtype",))
        array = self.value(node["content"])
        if not isinstance(array, np.ndarray):
            raise ModelFaultError("holds an array type with an unreadable description")
        return array.dtype

    def instance(self, node: Node) -> object:
        name = _name(node)
        if name in _NEIGHBOUR_TREES:
            return UnbuiltTree()
        if present_name(node["__module__"], node["__class__"]) is None:
            return self._trusted_instance(node)
        instance = new_instance(name)
        set_state(instance, self.value(node["content"]))
        return instance

    def _trusted_instance(self, node: Node) -> object:
        cls = self.trusted(node)
        if not isinstance(cls, type):
            raise not_allowed(f"an instance of {_name(node)}")
        instance: object = cls.__new__(cls)  # type: ignore[call-overload]  # any class
        state = self.value(node["content"]) if node.get("content") else {}
        setter = getattr(cls, "__setstate__", None)
        if setter is not None:
            setter(instance, state)
        else:
            vars(instance).update(state)
        return instance

    def trusted(self, node: Node) -> object:
        name = _name(node)
        if name not in self._trusted or "." in node["__class__"]:
            raise not_allowed(name)
        return getattr(importlib.import_module(node["__module__"]), node["__class__"])

    def reduced(self, node: Node) -> object:
        name = _name_in(node, ("sklearn.tree._tree.Tree", "sklearn.linear_model._sgd_fast.Hinge"))
        made = CONSTRUCTORS[name](*self.value(node["__reduce__"]["args"]))
        state = self.value(node["content"])
        if state or name == "sklearn.tree._tree.Tree":
            set_state(made, state)
        return made

    def random_state(self, node: Node) -> object:
        _name_in(node, ("numpy.random.mtrand.RandomState",))
        generator = CONSTRUCTORS["numpy.random._pickle.__randomstate_ctor"]()
        set_state(generator, self.value(node["content"]))
        return generator


_LOADERS: Final = MappingProxyType[str, Callable[[_Reader, Node], object]](
    {
        "DTypeNode": _Reader.dtype,
        "DictNode": _Reader.dict,
        "FunctionNode": _Reader.trusted,
        "JsonNode": _Reader.json,
        "ListNode": _Reader.list,
        "LossNode": _Reader.reduced,
        "NdArrayNode": _Reader.array,
        "ObjectNode": _Reader.instance,
        "RandomStateNode": _Reader.random_state,
        "SetNode": _Reader.set,
        "TreeNode": _Reader.reduced,
        "TupleNode": _Reader.tuple,
        "TypeNode": _Reader.trusted,
    }
)


def _name(node: Node) -> str:
    return f"{node['__module__']}.{node['__class__']}"


def _name_in(node: Node, names: tuple[str, ...]) -> str:
    name = _name(node)
    if name not in names:
        raise not_allowed(name)
    return name


def _key_type(node: Node) -> Callable[[str], object]:
    name = _name(node)
    if name not in _KEY_TYPES:
        raise ModelFaultError(f"holds a key of type {shown(name)}")
    return _KEY_TYPES[name]


def _read_npy(raw: bytes) -> AnyArray:
    stream = io.BytesIO(raw)
    major, _ = np.lib.format.read_magic(stream)
    read_header = (
        np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
    )
    shape, fortran, dtype = read_header(stream, max_header_size=_LONGEST_HEADER)
    sizes = checked_shape(shape)
    left = raw[stream.tell() :]
    if check_bytes_needed(dtype, sizes, len(left)) != len(left):
        raise ModelFaultError("is damaged: bytes follow the end of an array", "upload it again")
    return array_from_bytes(left, dtype, sizes, "F" if fortran else "C")
