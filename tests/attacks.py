"""Builders of hostile model files; every one would leave a mark if anything in it ran."""

import importlib
import io
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from tests.model_families import fitted


class Made:
    """Pickles as a call of anything, with a state to apply."""

    def __init__(self, function: Any, args: tuple[Any, ...], *state: Any) -> None:
        self.parts = (function, args, *state)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.parts

    def __call__(self) -> None:
        """Pass for a function when pickled as one."""


def as_joblib(model: Any, compress: Any = 0) -> bytes:
    """Dump as joblib does."""
    file = io.BytesIO()
    joblib.dump(model, file, compress=compress)
    return file.getvalue()


def _make_file(marker: Path) -> str:
    return f"int(not open({str(marker)!r}, 'w').close())"


# What would run, and the name it is stored under.
CALLS: dict[str, Any] = {
    "posix.system": lambda marker: Made(os.system, (f"touch {marker}",)),
    "subprocess.Popen": lambda marker: Made(subprocess.Popen, (["touch", str(marker)],)),
    "builtins.eval": lambda marker: Made(eval, (_make_file(marker),)),
    "builtins.exec": lambda marker: Made(exec, (_make_file(marker),)),
    "builtins.getattr": lambda marker: Made(Made(getattr, (marker, "touch")), ()),
    "shutil.copyfile": lambda marker: Made(shutil.copyfile, (__file__, str(marker))),
    "importlib.import_module": lambda marker: Made(
        importlib.import_module, (f"os{marker.suffix}",)
    ),
    "numpy.testing._private.utils.runstring": lambda marker: Made(
        importlib.import_module("numpy.testing._private.utils").runstring,
        (_make_file(marker), {}),
    ),
    "numpy.f2py.crackfortran.myeval": lambda marker: Made(
        importlib.import_module("numpy.f2py.crackfortran").myeval, (_make_file(marker), {})
    ),
    "joblib.numpy_pickle.load": lambda marker: Made(joblib.load, (str(marker) + ".joblib",)),
    "sklearn.utils._testing.create_memmap_backed_data": lambda marker: Made(
        importlib.import_module("sklearn.utils._testing").create_memmap_backed_data,
        (np.frombuffer(str(marker).encode(), np.uint8),),
    ),
}

# The calls of which plain unpickling leaves the marker behind.
LEAVING_A_MARK = (
    "posix.system",
    "builtins.eval",
    "builtins.exec",
    "builtins.getattr",
    "shutil.copyfile",
    "numpy.testing._private.utils.runstring",
    "numpy.f2py.crackfortran.myeval",
)


def _object_array(payload: Any) -> np.ndarray:
    array = np.empty(2, dtype=object)
    array[:] = [payload, "temperature"]
    return array


def _in_attribute(payload: Any) -> Any:
    model = fitted("standard scaler")
    model.mean_ = payload
    return model


# Where the call hides.
PLACES: dict[str, Any] = {
    "bare, joblib": as_joblib,
    "bare, pickle protocol 0": lambda payload: pickle.dumps(payload, 0),
    "bare, pickle protocol 5": lambda payload: pickle.dumps(payload, 5),
    "in a dict": lambda payload: as_joblib({"pipeline": payload, "threshold": 0.5}),
    "in an object array": lambda payload: as_joblib(_object_array(payload)),
    "in an object array of a dict": lambda payload: as_joblib({"model": _object_array(payload)}),
    "in a plain pickled object array": lambda payload: pickle.dumps(_object_array(payload)),
    "in an attribute": lambda payload: as_joblib(_in_attribute(payload)),
    "zlib": lambda payload: as_joblib(payload, ("zlib", 3)),
    "gzip": lambda payload: as_joblib(payload, ("gzip", 3)),
    "bz2": lambda payload: as_joblib(payload, ("bz2", 3)),
    "xz": lambda payload: as_joblib(payload, ("xz", 3)),
    "lzma": lambda payload: as_joblib(payload, ("lzma", 3)),
}


def text(value: str) -> bytes:
    """Return the opcode that pushes a text."""
    raw = value.encode()
    return b"X" + len(raw).to_bytes(4, "little") + raw


def named(module: str, name: str) -> bytes:
    """Return the opcodes of protocol 4 that push what a name stands for."""
    return text(module) + text(name) + b"\x93"


PROTOCOL_4 = b"\x80\x04"
_SCALER = named("sklearn.preprocessing._data", "StandardScaler")
_MAKE_SCALER = _SCALER + b")\x81"
_ENCODE = named("_codecs", "encode")

# Streams that no pickler writes; with what the refusal must name.
OPCODES: dict[str, tuple[bytes, str]] = {
    "extension code": (PROTOCOL_4 + b"\x82\x01.", "extension code"),
    "extension code, 4 bytes": (PROTOCOL_4 + b"\x84\x01\x00\x00\x00.", "extension code"),
    "persistent id": (b"Pmodel\n.", "persistent id"),
    "persistent id, binary": (PROTOCOL_4 + text("model") + b"Q.", "persistent id"),
    "buffer outside the file": (b"\x80\x05\x97.", "buffer outside"),
    "dotted name": (
        PROTOCOL_4 + named("numpy", "dtype.__class__") + b".",
        "numpy.dtype.__class__",
    ),
    "dotted name that reads as an allowed one": (
        PROTOCOL_4 + named("sklearn", "preprocessing._data.StandardScaler") + b".",
        "sklearn.preprocessing._data.StandardScaler",
    ),
    "name of Python 2": (b"\x80\x02c__builtin__\neval\n.", "builtins.eval"),
    "name of Python 2 by its module": (b"\x80\x02ccommands\ngetoutput\n.", "subprocess.getoutput"),
    "old instance": (b"(S'true'\nios\nsystem\n.", "made with arguments"),
    "old object": (PROTOCOL_4 + b"(" + _SCALER + b"o.", "made with arguments"),
    "instance with arguments": (PROTOCOL_4 + _SCALER + b"I1\n\x85\x81.", "with arguments"),
    "call of an allowed class": (PROTOCOL_4 + _SCALER + b")R.", "only allowed as data"),
    "call of an instance": (PROTOCOL_4 + _MAKE_SCALER + b")R.", "no allowed name"),
    "state of a class": (
        PROTOCOL_4 + _SCALER + b"N}" + text("transform") + _ENCODE + b"s\x86b.",
        "StandardScaler itself",
    ),
    "state of a class, as a dict": (
        PROTOCOL_4 + _SCALER + b"}" + text("transform") + _ENCODE + b"sb.",
        "StandardScaler itself",
    ),
    "state of a text": (PROTOCOL_4 + text("a") + b"}b.", "state of a builtins.str"),
    "attribute that takes over the next state": (
        PROTOCOL_4 + _MAKE_SCALER + b"}" + text("__setstate__") + _ENCODE + b"sb.",
        "__setstate__",
    ),
    "attribute that hides a method": (
        PROTOCOL_4 + _MAKE_SCALER + b"}" + text("transform") + _ENCODE + b"sb.",
        "transform",
    ),
    "attribute that hides a property": (
        PROTOCOL_4
        + named("sklearn.pipeline", "Pipeline")
        + b")\x81}"
        + text("named_steps")
        + b"Nsb.",
        "named_steps",
    ),
    "name in place of a value": (PROTOCOL_4 + _SCALER + b".", "in place of a value"),
    "items of an array": (
        PROTOCOL_4
        + named("numpy._core.multiarray", "_reconstruct")
        + b")R"
        + text("a")
        + b"K\x01s.",
        "sets items",
    ),
    "key that holds other objects": (PROTOCOL_4 + b"})K\x01s.", "key"),
    "array stored in another file": (
        PROTOCOL_4 + named("joblib.numpy_pickle_compat", "NDArrayWrapper") + b")\x81.",
        "NDArrayWrapper",
    ),
    "number of a million digits": (
        PROTOCOL_4 + b"\x8b" + (400_000).to_bytes(4, "little") + b"\x7f" * 400_000 + b".",
        "256 bits",
    ),
    "bytes that are not there": (
        b"\x80\x05\x96" + (2**40).to_bytes(8, "little") + b"abc.",
        "damaged",
    ),
}


def run_isolated(script: str, *args: str) -> "subprocess.CompletedProcess[str]":
    """Run Python code in its own process, where a crash or a hang is only a failure."""
    root = Path(__file__).parent.parent
    return subprocess.run(
        [sys.executable, "-c", script, *args],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
