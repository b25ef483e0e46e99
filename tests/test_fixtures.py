"""Tests of the fixture modules: what a test module asks for has one meaning."""

import ast
from collections import Counter
from pathlib import Path

TESTS = Path(__file__).parent


def fixtures_of(path: Path) -> list[str]:
    """Name the fixtures that a module defines."""
    functions = [
        one for one in ast.parse(path.read_text()).body if isinstance(one, ast.FunctionDef)
    ]
    return [
        one.name
        for one in functions
        if any("pytest.fixture" in ast.unparse(mark) for mark in one.decorator_list)
    ]


def test_a_shared_fixture_has_one_home() -> None:
    """All test modules get what one asks for: of two with one name the last would be used."""
    shared = [TESTS / "conftest.py", *sorted(TESTS.glob("*_fixtures.py"))]
    names = Counter(name for path in shared for name in fixtures_of(path))
    assert names["clock"] == 1
    assert [name for name, n in names.items() if n > 1] == []
