"""Opening of model files: hostile ones are refused and nothing in them runs."""

import contextlib
import io
import pickle
import random
import warnings
import zlib
from collections import OrderedDict
from pathlib import Path

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.preprocessing import StandardScaler

from scoring.errors import ArtifactRejectedError
from scoring.model_files import MAX_MODEL_BYTES, open_model_file
from tests.attacks import (
    CALLS,
    LEAVING_A_MARK,
    OPCODES,
    PLACES,
    PROTOCOL_4,
    Made,
    as_joblib,
    named,
    run_isolated,
)
from tests.model_families import FAMILIES, fitted


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """Return a path that exists only if something ran."""
    return tmp_path / "ran"


def _refusal(data: bytes, trusted: frozenset[str] = frozenset()) -> ArtifactRejectedError:
    with pytest.raises(ArtifactRejectedError) as refused:
        open_model_file(data, artifact="pump/3", kind="joblib", trusted=trusted)
    return refused.value


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("call", CALLS)
def test_a_call_of_anything_is_refused_by_name_wherever_it_hides(
    call: str, place: str, marker: Path
) -> None:
    """Nothing of the file runs, whatever function it names and however it is packed."""
    refusal = _refusal(PLACES[place](CALLS[call](marker)))
    assert refusal.found == f"holds {call}, which is not in the list of allowed types"
    assert "TRUSTED_MODEL_TYPES" in refusal.remedy
    assert not marker.exists()


@pytest.mark.parametrize("call", LEAVING_A_MARK)
def test_the_calls_are_real(call: str, marker: Path) -> None:
    """The same bytes do run under joblib.load, so that the tests above can fail."""
    joblib.load(io.BytesIO(as_joblib({"pipeline": CALLS[call](marker)})))
    assert marker.exists()


@pytest.mark.parametrize("case", OPCODES)
def test_a_stream_that_no_pickler_writes_is_refused_by_its_fault(case: str) -> None:
    """Opcodes that call, patch or reach outside are refused one by one."""
    stream, fault = OPCODES[case]
    before = dict(vars(StandardScaler))
    assert fault in _refusal(stream).found
    assert dict(vars(StandardScaler)) == before


def test_a_trusted_name_is_resolved_and_only_that_one(marker: Path) -> None:
    """The operator's exact names count as on the list."""
    trusted = frozenset({"fractions.Fraction"})
    data = pickle.dumps({"a": Made(__import__("fractions").Fraction, (1, 3)), "b": 1})
    assert open_model_file(data, artifact="a", kind="joblib", trusted=trusted)["a"] * 3 == 1
    assert "posix.system" in _refusal(as_joblib(CALLS["posix.system"](marker)), trusted).found
    assert not marker.exists()


@pytest.mark.parametrize(
    ("args", "state"),
    [
        (("V8", False, True), (3, "|", None, ("a",), {"a": (np.dtype("O"), 0)}, 8, 1, 16)),
        (("V8", False, True), (3, "|", None, ("a",), {"a": (np.dtype("f8"), 4)}, 8, 1, 16)),
        (("V8", False, True), (3, "|", None, ("a",), {"a": (np.dtype("f8"), -8)}, 8, 1, 16)),
        (("V8", False, True), (3, "|", (np.dtype("f8"), (9,)), None, None, 8, 1, 0)),
        (("i8,O", False, True), (3, "<", None, None, None, -1, -1, 0)),
        (("M8[s]", False, True), (4, "<", None, None, None, -1, -1, 0, ({}, ("s", 1, 1, 1)))),
    ],
    ids=["object field", "field past the end", "field before", "sub-array", "code", "metadata"],
)
def test_a_dtype_that_would_read_foreign_memory_is_refused(
    args: tuple[object, ...], state: tuple[object, ...]
) -> None:
    """NumPy believes any state of a dtype, so none is handed to it."""
    assert "array type" in _refusal(pickle.dumps(Made(np.dtype, args, state), 2)).found


@pytest.mark.parametrize(
    ("shape", "raw"),
    [((2**40,), b"12345678"), ((3,), b"12345678"), ((-1,), b""), ((1,) * 9, b"12345678")],
    ids=["huge", "longer", "negative", "many dimensions"],
)
def test_an_array_whose_bytes_contradict_its_shape_is_refused(
    shape: tuple[int, ...], raw: bytes
) -> None:
    """Neither memory nor foreign bytes are given for a claim."""
    reconstruct = np.zeros(1).__reduce__()[0]
    state = (1, shape, np.dtype("f8"), False, raw)
    data = pickle.dumps(Made(reconstruct, (np.ndarray, (0,), b"b"), state), 2)
    assert "array" in _refusal(data).found


def test_a_joblib_array_larger_than_the_rest_of_its_file_is_refused() -> None:
    """The header's shape is checked before memory is taken."""
    data = as_joblib(np.zeros(7)).replace(b"K\x07\x85", b"J\xff\xff\xff\x7f\x85")
    assert "claims an array of 17179869176 bytes" in _refusal(data).found


def test_an_object_array_of_object_arrays_is_refused() -> None:
    """Nested deep enough, freeing it would overflow the C stack."""
    inner = np.array(["a"], dtype=object)
    outer = np.empty(1, dtype=object)
    outer[0] = inner
    assert "other than texts" in _refusal(pickle.dumps(outer)).found


def test_a_random_state_out_of_its_words_is_refused() -> None:
    """The generator's C code takes its position as an index."""
    generator = np.random.RandomState(1)
    constructor, args, state = generator.__reduce__()
    state["state"]["pos"] = 10**6
    assert "random_state" in _refusal(pickle.dumps(Made(constructor, args, state), 4)).found


def test_a_decompression_bomb_is_refused() -> None:
    """The bound holds after decompression too."""
    packer = zlib.compressobj(9)
    zeros = bytes(2**20)
    pieces = [packer.compress(zeros) for _ in range(MAX_MODEL_BYTES // len(zeros) + 1)]
    bomb = b"".join([*pieces, packer.flush()])
    assert len(bomb) < MAX_MODEL_BYTES / 500
    assert "after decompression" in _refusal(bomb).found


def test_a_file_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound holds before anything is read."""
    monkeypatch.setattr("scoring.model_files.MAX_MODEL_BYTES", 100)
    assert "101 bytes" in _refusal(b"x" * 101).found


def test_lz4_is_refused_with_what_to_do() -> None:
    """Its package is not installed."""
    refusal = _refusal(b"\x04\x22\x4d\x18" + bytes(9))
    assert "lz4" in refusal.found
    assert "compress=" in refusal.remedy


def test_bytes_after_the_end_are_refused() -> None:
    """A file of two formats at once is no model."""
    assert "bytes follow" in _refusal(pickle.dumps({}) + b"\n").found
    assert "bytes follow" in _refusal(zlib.compress(pickle.dumps({})) + b"\n").found


def test_a_stream_of_too_many_steps_is_refused() -> None:
    """A step costs a byte in the file and up to 216 in memory."""
    assert "steps" in _refusal(b"\x80\x04" + b"]" * 4_000_001 + b".").found


def test_deep_nesting_is_read_or_refused_and_never_crashes() -> None:
    """A million lists within each other are no recursion of ours."""
    data = b"\x80\x04" + b"]" * 1_000_000 + b"a" * 999_999 + b"."
    assert isinstance(open_model_file(data, artifact="a", kind="joblib"), list)


@pytest.mark.parametrize("family", ["isolation forest", "LOF", "pipeline"])
def test_a_file_cut_short_anywhere_is_refused(family: str) -> None:
    """An upload that was interrupted is no model."""
    data = as_joblib(fitted(family))
    for length in random.Random(1).sample(range(len(data)), 60):
        assert _refusal(data[:length]).artifact == "pump/3"


@given(st.sampled_from([b"", PROTOCOL_4, named("numpy", "dtype")]), st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_bytes_give_an_object_or_a_refusal(start: bytes, rest: bytes) -> None:
    """No other error leaves the reader."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from escapes in texts of Python 2
        for kind in ("joblib", "skops"):
            with contextlib.suppress(ArtifactRejectedError):
                open_model_file(start + rest, artifact="a", kind=kind)


def test_another_scikit_learns_file_warns_the_caller() -> None:
    """Whether that matters is for the golden rows to say."""
    data = pickle.dumps(fitted("standard scaler"), 2)
    version = StandardScaler().__getstate__()["_sklearn_version"].encode()
    older = data.replace(version, b"1.2.0"[: len(version)].ljust(len(version), b"0"))
    with pytest.warns(InconsistentVersionWarning):
        open_model_file(older, artifact="a", kind="joblib")


def test_a_dict_around_a_model_keeps_its_entries() -> None:
    """Teams store features and a threshold beside their pipeline."""
    around = OrderedDict(model=fitted("k-means"), features=["a", "b", "c"], threshold=0.5)
    loaded = open_model_file(as_joblib(around), artifact="a", kind="joblib")
    assert type(loaded) is OrderedDict
    assert (loaded["features"], loaded["threshold"]) == (["a", "b", "c"], 0.5)


_PROBE = """
import sys, warnings, pathlib
import numpy as np
from scoring.errors import ArtifactRejectedError
from scoring.model_files import open_model_file
from scoring.structure import check_structure
warnings.simplefilter("ignore")
np.seterr(all="ignore")
rows = np.random.default_rng(1).normal(size=(3, 3))
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    try:
        model = open_model_file(path.read_bytes(), artifact="a", kind="joblib")
        check_structure(model, artifact="a")
    except ArtifactRejectedError:
        continue
    for name in ("score_samples", "decision_function", "predict_proba", "predict", "transform"):
        try:
            getattr(model, name)(rows)
        except Exception:
            pass
print("survived")
"""


@pytest.mark.parametrize("part", range(4))
def test_a_damaged_file_of_any_family_never_crashes_the_process(part: int, tmp_path: Path) -> None:
    """What passes the checks may be wrong, but it neither crashes nor hangs."""
    source = random.Random(part)
    for family in list(FAMILIES)[part::4]:
        whole = as_joblib(fitted(family))
        for number in range(12):
            damaged = bytearray(whole)
            for _ in range(source.choice([1, 1, 2, 8, 40])):
                damaged[source.randrange(len(damaged))] = source.choice([0, 1, 255, 127, 66])
            name = f"{family} {number}".replace("/", " ")
            (tmp_path / name).write_bytes(damaged)
    outcome = run_isolated(_PROBE, str(tmp_path))
    assert outcome.stdout == "survived\n", outcome.stderr[-2000:]
