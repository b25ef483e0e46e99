"""Reading of skops files: the same list and the same checks."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io

from scoring.errors import ArtifactRejectedError
from scoring.model_files import open_model_file
from tests.model_families import fitted

Schema = dict[str, Any]


def _rewritten(
    model: object, change: Callable[[Schema], object], extra: dict[str, bytes] | None = None
) -> bytes:
    """Return a skops file with its schema changed and parts added."""
    whole = zipfile.ZipFile(io.BytesIO(skops.io.dumps(model)))
    schema = json.loads(whole.read("schema.json"))
    change(schema)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in whole.namelist():
            if name != "schema.json":
                archive.writestr(name, whole.read(name))
        for name, raw in (extra or {}).items():
            archive.writestr(name, raw)
        archive.writestr("schema.json", json.dumps(schema))
    return file.getvalue()


def _refusal(data: bytes) -> ArtifactRejectedError:
    with pytest.raises(ArtifactRejectedError) as refused:
        open_model_file(data, artifact="pump/3", kind="skops")
    return refused.value


def _node(module: str, name: str, loader: str, **rest: object) -> Schema:
    return {"__module__": module, "__class__": name, "__loader__": loader, **rest}


def _attribute(name: str, node: Schema) -> Callable[[Schema], None]:
    def change(schema: Schema) -> None:
        attributes = schema["content"]
        if name not in attributes["content"]:
            attributes["key_types"]["content"].append(_node("builtins", "str", "TypeNode"))
        attributes["content"][name] = node

    return change


_EMPTY = _node("builtins", "tuple", "TupleNode", content=[])
_JSON = _node("builtins", "str", "JsonNode", content='"ls"')

NODES: dict[str, tuple[Schema, str]] = {
    "function": (_node("posix", "system", "FunctionNode"), "posix.system"),
    "function that skops trusts": (_node("numpy", "sin", "FunctionNode"), "numpy.sin"),
    "type": (_node("subprocess", "Popen", "TypeNode"), "subprocess.Popen"),
    "dotted name": (_node("sklearn", "svm.SVC", "TypeNode"), "sklearn.svm.SVC"),
    "class that skops trusts": (
        _node("sklearn.svm._classes", "SVC", "ObjectNode", content=_EMPTY),
        "sklearn.svm._classes.SVC",
    ),
    "constructor": (
        _node("subprocess", "Popen", "ConstructorFromReduceNode", content=_EMPTY),
        "subprocess.Popen",
    ),
    "method": (
        _node("builtins", "str", "MethodNode", content={"func": "format", "obj": _JSON}),
        "MethodNode",
    ),
    "partial": (
        _node("functools", "partial", "PartialNode", content={}),
        "functools.partial",
    ),
    "operator": (
        _node("operator", "methodcaller", "OperatorFuncNode", attrs=_EMPTY),
        "operator.methodcaller",
    ),
    "random generator": (
        _node("numpy.random", "Generator", "RandomGeneratorNode", content={}),
        "numpy.random.Generator",
    ),
    "list of another class": (
        _node("collections", "deque", "ListNode", content=[]),
        "collections.deque",
    ),
    "array of another class": (
        _node("numpy", "matrix", "NdArrayNode", type="json", content=[], shape=_EMPTY),
        "numpy.matrix",
    ),
    "unknown loader": (_node("a", "b", "OtherNode"), "a.b (OtherNode)"),
    "reference to nothing": (_node("builtins", "dict", "CachedNode", __id__=5), "CachedNode"),
}


@pytest.mark.parametrize("case", NODES)
def test_a_node_of_anything_that_is_not_on_the_list_is_refused_by_name(case: str) -> None:
    """Also what skops itself trusts without asking."""
    node, fault = NODES[case]
    data = _rewritten(fitted("standard scaler"), _attribute("mean_", node))
    assert fault in _refusal(data).found


def test_an_attribute_that_hides_a_method_is_refused() -> None:
    """An attribute must not stand before a method of its class."""
    data = _rewritten(fitted("standard scaler"), _attribute("transform", _JSON))
    assert "transform" in _refusal(data).found


def test_the_state_of_a_neighbours_tree_is_not_applied() -> None:
    """It is built again from the points, so what the file says of it has no effect."""

    def empty(schema: Schema) -> None:
        schema["content"]["content"]["_tree"]["content"] = _node("posix", "system", "FunctionNode")

    model = fitted("LOF")
    loaded = open_model_file(_rewritten(model, empty), artifact="a", kind="skops")
    rows = np.zeros((2, 3))
    assert np.array_equal(loaded._tree.query(rows, 3)[1], model._tree.query(rows, 3)[1])


def test_a_name_that_the_operator_trusts_is_resolved(tmp_path: Path) -> None:
    """The same exact names count for both formats."""
    node = _node("fractions", "Fraction", "TypeNode")
    data = _rewritten(fitted("standard scaler"), _attribute("mean_", node))
    trusted = frozenset({"fractions.Fraction"})
    loaded = open_model_file(data, artifact="a", kind="skops", trusted=trusted)
    assert loaded.mean_.__name__ == "Fraction"


@pytest.mark.parametrize("name", ["../evil.npy", "model.pickle", "a/b.npy", "x.npy.so"])
def test_a_part_with_an_unexpected_name_is_refused(name: str) -> None:
    """A file chooses no path."""
    data = _rewritten(fitted("standard scaler"), lambda _: None, {name: b"x"})
    assert "which is no array" in _refusal(data).found


def test_a_zip_bomb_is_refused_by_what_it_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sizes in the directory bound what is read."""
    monkeypatch.setattr("scoring.model_files.MAX_MODEL_BYTES", 10**6)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", bytes(2 * 10**6))
    assert len(file.getvalue()) < 10**4
    assert "after decompression" in _refusal(file.getvalue()).found


def test_a_zip_bomb_that_lies_about_its_size_is_refused() -> None:
    """Decompression stops at the size that the directory claims."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", bytes(10**7))
    data = file.getvalue().replace((10**7).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    assert "damaged" in _refusal(data).found


def test_an_unbounded_compression_is_refused() -> None:
    """Python reads bz2 and lzma parts whole before it looks at their size."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("schema.json", "{}")
    assert "cannot be bounded" in _refusal(file.getvalue()).found


@pytest.mark.parametrize("shape", ["(9000000000,)", "(-1,)", "(2, 2)", "(1, 1, 1, 1, 1)"])
def test_an_array_part_that_lies_about_its_shape_is_refused(shape: str) -> None:
    """Memory is taken for bytes that are there, not for a claim."""
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    raw = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(24)
    node = _node("numpy", "ndarray", "NdArrayNode", type="numpy", file="evil.npy")
    data = _rewritten(fitted("standard scaler"), _attribute("mean_", node), {"evil.npy": raw})
    assert "array" in _refusal(data).found


def test_an_array_part_of_objects_is_refused() -> None:
    """It would be unpickled."""
    file = io.BytesIO()
    np.save(file, np.array([{}], dtype=object), allow_pickle=True)
    node = _node("numpy", "ndarray", "NdArrayNode", type="numpy", file="evil.npy")
    parts = {"evil.npy": file.getvalue()}
    data = _rewritten(fitted("standard scaler"), _attribute("mean_", node), parts)
    assert "objects in place of numbers" in _refusal(data).found


def test_deep_nesting_is_refused() -> None:
    """Recursion ends as a refusal."""
    deep = "[" * 100_000 + "]" * 100_000
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("schema.json", f'{{"protocol": 2, "content": {deep}}}')
    assert "RecursionError" in _refusal(file.getvalue()).found


@pytest.mark.parametrize("protocol", [3, -1, True, "2", None])
def test_an_unknown_protocol_is_refused(protocol: object) -> None:
    """Only what the schema is known to mean is read."""
    data = _rewritten(fitted("standard scaler"), lambda schema: schema.update(protocol=protocol))
    assert "unknown version of skops" in _refusal(data).found
