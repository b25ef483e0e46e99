"""Tests of bicep_checks.values and identifiers on single expressions."""

import pytest

from bicep_checks.declarations import read_file
from bicep_checks.identifiers import used_names
from bicep_checks.nodes import text
from bicep_checks.values import possible_values

FILE = """@allowed(['a', 'b'])
param p string = 'b'
param q bool
var held = 'h'
var loop = loop
"""


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("'x'", ["'x'"]),
        ("q ? 'x' : ('y')", ["'x'", "'y'"]),
        ("p", ["'a'", "'b'", "'b'"]),
        ("held", ["'h'"]),
        ("q", ["q"]),
        ("foo.?bar ?? 'z'", ["foo.?bar", "'z'"]),
        ("union({ a: 1 }, q ? { b: 2 } : {})", ["{ a: 1 }", "{ b: 2 }", "{}"]),
        ("loop", []),
    ],
)
def test_an_expression_can_be_each_of_its_literals(expression: str, expected: list[str]) -> None:
    """A wrong value is found on every way to it, and a circle has an end."""
    file = read_file("x.bicep", f"{FILE}var asked = {expression}\n".encode())
    node = file.variables["asked"].value
    assert node is not None
    assert [text(one.node) for one in possible_values(file, node)] == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("'${a}-${b.c}'", ["a", "b"]),
        ("[for x in xs: x.name]", ["xs"]),
        ("[for (x, i) in xs: '${x}${i}${y}']", ["xs", "y"]),
        ("[for x in xs: if (x.on) { x: x }]", ["xs"]),
        ("map(xs, x => x.name)", ["xs"]),
        ("filter(xs, x => 'a' == x.key)", ["xs"]),
        ("{ a: b, 'c': d, '${e}': f }", ["b", "d", "e", "f"]),
        ("account::blobs.name", ["account"]),
        ("a[b].c", ["a", "b"]),
        ("a ? b : c", ["a", "b", "c"]),
    ],
)
def test_names_are_those_that_the_file_has_to_declare(expression: str, expected: list[str]) -> None:
    """Keys, members, functions and bound variables are none."""
    file = read_file("x.bicep", f"var asked = {expression}\n".encode())
    assert [text(one) for one in used_names(file.root)] == expected
