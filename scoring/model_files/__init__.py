"""Opening of model files, which are untrusted input: nothing in them runs."""

from typing import Final, Literal

from scoring.model_files.building_blocks import AllowedName, ArrayHeader
from scoring.model_files.decompression import decompressed
from scoring.model_files.model_faults import ModelFaultError, refusing
from scoring.model_files.neighbour_trees import UnbuiltTree, Unused, rebuild_tree
from scoring.model_files.object_graphs import objects_within
from scoring.model_files.skops_files import read_skops
from scoring.model_files.unpickling import unpickle

# An isolation forest of 1,000 trees is 11 MB as joblib and 33 MB as skops; eight times that
# still loads beside the batches in the 2 GB of a small instance.
MAX_MODEL_BYTES: Final = 256 * 2**20

Kind = Literal["joblib", "skops"]


def open_model_file(
    data: bytes, *, artifact: str, kind: Kind, trusted: frozenset[str] = frozenset()
) -> object:
    """Read a model file into what it describes: an estimator, or whatever stands around one.

    Only names from `allowed_types` are resolved, fitted trees are checked before their state is
    applied, and neighbours trees are built again from their points. `check_structure` must still
    see the result before it scores.

    Parameters
    ----------
    data : bytes
        The file. At most `MAX_MODEL_BYTES`, before and after decompression.
    artifact : str
        What the error calls it.
    kind : {"joblib", "skops"}
        The declared format, never guessed. Plain pickles of every protocol are "joblib".
    trusted : frozenset of str
        Exact names that the operator allows besides. They are called as the file says.

    Warns
    -----
    sklearn.exceptions.InconsistentVersionWarning
        From scikit-learn, if another version fitted it; the caller decides.

    Raises
    ------
    ArtifactRejectedError
        If anything in it is not allowed or it is damaged; bytes after its end are damage.
    """
    with refusing(artifact, "is damaged", "publish it again"):
        _check_size(data)
        graph = _read(data, kind, trusted)
        _finish(graph)
    return graph


def _check_size(data: bytes) -> None:
    if len(data) > MAX_MODEL_BYTES:
        raise ModelFaultError(
            f"has {len(data)} bytes where {MAX_MODEL_BYTES} are allowed",
            "publish a smaller model",
        )


def _read(data: bytes, kind: Kind, trusted: frozenset[str]) -> object:
    if kind == "skops":
        return read_skops(data, trusted, most=MAX_MODEL_BYTES)
    return unpickle(decompressed(data, most=MAX_MODEL_BYTES), trusted)


def _finish(graph: object) -> None:
    """Put neighbours trees back and refuse what stands for something else."""
    for value in list(objects_within(graph)):
        rebuild_tree(value)
    for value in objects_within(graph):
        if isinstance(value, UnbuiltTree):
            raise ModelFaultError("holds a neighbours tree outside of an estimator")
        if isinstance(value, AllowedName):
            raise ModelFaultError(f"holds the name {value.name} in place of a value")
        if isinstance(value, ArrayHeader | Unused):
            raise ModelFaultError("holds a part of something that is missing")
