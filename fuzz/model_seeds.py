"""Fitted models of every family that a model file may hold, in every form of file."""

import bz2
import gzip
import io
import json
import lzma
import pickle  # noqa: TID251 - writes what the loader is to read
import zipfile
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import joblib
import skops.io

from tests.model_families import FAMILIES, fitted

FAMILY_NAMES = tuple(FAMILIES)
# Compressed here, so that what is mutated is the pickle within.
PACKINGS: tuple[Callable[[bytes], bytes], ...] = (
    bytes,
    zlib.compress,
    lambda data: gzip.compress(data, 1),
    bz2.compress,
    lambda data: lzma.compress(data, preset=0),
    lambda data: lzma.compress(data, lzma.FORMAT_ALONE, preset=0),
)
SKOPS = len(PACKINGS)


def as_joblib(model: object) -> bytes:
    """Write a model as joblib does."""
    file = io.BytesIO()
    joblib.dump(model, file)
    return file.getvalue()


@cache
def model(family: str) -> Any:
    """Fit a family's model once."""
    return fitted(family)


@cache
def skops_parts(family: str) -> Mapping[str, bytes]:
    """Write a model as skops does, and take its zip apart."""
    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(model(family)))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def skops_file(family: str, schema: bytes) -> bytes:
    """Put a schema, whatever it says, beside the arrays of a family."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in {**skops_parts(family), "schema.json": schema}.items():
            archive.writestr(name, data)
    return file.getvalue()


def schema(family: str) -> bytes:
    """Return a schema without the spaces that only cost mutations."""
    text: bytes = skops_parts(family)["schema.json"]
    return json.dumps(json.loads(text), separators=(",", ":")).encode()


def pickled(family: str, protocol: int) -> bytes:
    """Write a model as plain pickle."""
    return pickle.dumps(model(family), protocol)
