"""Tests of scoring.names: no name leads out of its place."""

import pytest

from scoring.names import is_account_name, is_container_name, is_model_name, is_plain_path

TRICKS = ["", ".", "..", "...", "a/b", "../a", "a\\b", "a\nb", "a\x00b", "a b\n", "é", "a" * 65]


@pytest.mark.parametrize("name", ["default", "pump-01", "v1.2_3", ".hidden", "A" * 64])
def test_plain_names_are_models(name: str) -> None:
    """Letters, digits, dots, underscores and hyphens, 64 at most."""
    assert is_model_name(name)


@pytest.mark.parametrize("name", TRICKS, ids=repr)
def test_a_model_is_no_way_out_of_its_folder(name: str) -> None:
    """Neither separators nor dots alone, nor what a log or a file system would misread."""
    assert not is_model_name(name)


@pytest.mark.parametrize("path", ["iforest.joblib", "models/2024/if (1).joblib", "a/b/c/d"])
def test_plain_paths_stay_in_their_container(path: str) -> None:
    """Names joined by slashes."""
    assert is_plain_path(path)


@pytest.mark.parametrize(
    "path",
    ["", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", "a/. ./b", "a\\..\\b", "a\x00", "a\n"],
)
def test_a_path_with_a_trick_is_refused(path: str) -> None:
    """No empty, dotted or absolute parts, no other separators, no control characters."""
    assert not is_plain_path(path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("models", True),
        ("a-b-1", True),
        ("ab", False),
        ("-ab", False),
        ("a--b", False),
        ("../x", False),
        ("Models", False),
        ("a" * 64, False),
        ("abc\n", False),
    ],
)
def test_a_container_is_named_by_azures_rules(name: str, expected: bool) -> None:
    """3 to 63 lower-case letters, digits and single hyphens."""
    assert is_container_name(name) is expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("readings01", True),
        ("ab", False),
        ("evil.com/", False),
        ("Readings", False),
        ("a-b", False),
    ],
)
def test_an_account_is_named_and_not_addressed(name: str, expected: bool) -> None:
    """An address in its place would send the identity's token elsewhere."""
    assert is_account_name(name) is expected
