"""The list of names that a model file may hold."""

import pickle
import warnings

import pytest
import skops.io

from scoring.model_files import open_model_file
from scoring.model_files.allowed_types import ALLOWED_TYPES, present_name
from scoring.structure import check_structure
from tests.attacks import as_joblib
from tests.model_families import FAMILIES, fitted, outputs

_COMPRESSORS = ("zlib", "gzip", "bz2", "xz", "lzma")


@pytest.fixture(scope="module", params=FAMILIES)
def model(request: pytest.FixtureRequest) -> object:
    """Return one fitted model of each family."""
    return fitted(request.param)


def _assert_same_outputs(data: bytes, kind: str, model: object) -> None:
    loaded = open_model_file(data, artifact="a", kind=kind)
    check_structure(loaded, artifact="a")
    for found, expected in zip(outputs(loaded), outputs(model), strict=True):
        assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("compress", [0, *((name, 3) for name in _COMPRESSORS)], ids=str)
def test_a_joblib_file_of_each_family_scores_as_the_model_it_was_made_of(
    model: object, compress: object
) -> None:
    """The list is complete, and what is built again gives the same bits."""
    _assert_same_outputs(as_joblib(model, compress), "joblib", model)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_plain_pickle_of_each_family_scores_as_the_model_it_was_made_of(
    model: object, protocol: int
) -> None:
    """The same reader takes plain pickles of every protocol."""
    _assert_same_outputs(pickle.dumps(model, protocol), "joblib", model)


def test_a_skops_file_of_each_family_scores_as_the_model_it_was_made_of(model: object) -> None:
    """The same list serves skops files."""
    _assert_same_outputs(skops.io.dumps(model), "skops", model)


def test_feature_names_survive(model: object) -> None:
    """They are an object array, which must not be refused or lost."""
    loaded = open_model_file(as_joblib(model), artifact="a", kind="joblib")
    assert list(loaded.feature_names_in_) == list(model.feature_names_in_)  # type: ignore[attr-defined]


def test_every_name_is_exact_and_has_a_reason() -> None:
    """A package or an empty reason on the list would be an open door."""
    assert all("." in name and reason for name, reason in ALLOWED_TYPES.items())
    assert not any(name.endswith(".*") for name in ALLOWED_TYPES)


@pytest.mark.parametrize(
    ("module", "name"),
    [("sklearn.svm", "_classes.OneClassSVM"), ("numpy", "load"), ("sklearn.svm._classes", "SVC")],
)
def test_a_name_that_is_not_exactly_on_the_list_is_not_allowed(module: str, name: str) -> None:
    """Neither an allowed package nor a dotted name is a way in."""
    assert present_name(module, name) is None


def test_a_file_of_numpy_1_is_read_under_its_older_names() -> None:
    """NumPy 1 stored numpy.core where NumPy 2 stores numpy._core."""
    model = fitted("isolation forest")
    older = pickle.dumps(model, 2).replace(b"numpy._core.", b"numpy.core.")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _assert_same_outputs(older, "joblib", model)
