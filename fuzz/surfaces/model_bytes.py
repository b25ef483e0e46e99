"""Model files as bytes: joblib, pickle and skops, plain or compressed, bare or published.

An input is a byte that names a form, a byte that names a family, and the content of the file.
"""

import hashlib

import msgspec

from fuzz.doubles import artifact
from fuzz.model_checks import check_load
from fuzz.model_seeds import (
    FAMILY_NAMES,
    PACKINGS,
    SKOPS,
    as_joblib,
    model,
    pickled,
    schema,
    skops_file,
)
from scoring.artifacts import load_bare, load_published

_FORMS = SKOPS + 2  # the last one: skops as raw bytes
_PUBLISHED = 0x80  # of the form's byte: beside a manifest that fits
_SHORT = ("isolation forest", "LOF", "standard scaler", "one-class SVM", "SGD one-class SVM")


class ModelBytes:
    """Nothing in a file runs, and nothing crashes: a model, or one clear refusal."""

    tokens = (
        *(bytes([opcode]) for opcode in b"cRbio}]t\x81\x93\x94\x8c\x85\x86\x87ahNK."),
        b"\x80\x05\x95",
        b"cposix\nsystem\n",
        b"\x8c\x06system",
        b"numpy._core.multiarray",
        b"_reconstruct",
        b"sklearn.tree._tree",
        b"joblib.numpy_pickle",
        b"builtins",
        b'"__loader__":"TreeNode"',
        b'"__loader__":"FunctionNode"',
        b'"__module__":"numpy"',
        b'"__id__":1',
        b'"file":"',
        b'"content":',
        b'"threshold"',
    )

    def __init__(self) -> None:
        self._manifest = artifact().manifest

    def seeds(self) -> list[bytes]:
        """Every family, in some form; the short ones in all of them."""
        found = []
        for number, family in enumerate(FAMILY_NAMES):
            forms = range(SKOPS + 1) if family in _SHORT else (number % SKOPS, SKOPS)
            for form in forms:
                content = schema(family) if form == SKOPS else self._pickled(family, form + number)
                found.append(bytes([form, number]) + content)
        around = {"model": model("standard scaler"), "threshold": 0.1, "threshold_scale": "score"}
        found.append(bytes([0, 0]) + as_joblib(around | {"features": ["a", "b", "c"]}))
        published = artifact().data
        return [*found, bytes([_PUBLISHED, 0]) + published]

    def _pickled(self, family: str, number: int) -> bytes:
        protocol = number % 7
        return as_joblib(model(family)) if protocol > 5 else pickled(family, protocol)  # noqa: PLR2004  # the newest pickle

    def run(self, data: bytes) -> None:
        """Load the file as the registry does."""
        if len(data) < 2:  # noqa: PLR2004  # the two choices
            return
        form, content = (data[0] & ~_PUBLISHED) % _FORMS, data[2:]
        family = FAMILY_NAMES[data[1] % len(FAMILY_NAMES)]
        suffix = "joblib" if form < SKOPS else "skops"
        file = PACKINGS[form](content) if form < SKOPS else content
        if form == SKOPS:
            file = skops_file(family, content)
        if data[0] & _PUBLISHED:
            self._load_published(file, suffix)
            return
        check_load(
            lambda: load_bare(file, f"m.{suffix}", name="m", trusted=frozenset(), feature_keys=None)
        )

    def _load_published(self, file: bytes, suffix: str) -> None:
        manifest = msgspec.structs.replace(
            self._manifest, file=f"model.{suffix}", sha256=hashlib.sha256(file).hexdigest()
        )
        check_load(lambda: load_published(file, manifest, trusted=frozenset(), feature_keys=None))


def make() -> ModelBytes:
    """Make the surface."""
    return ModelBytes()
