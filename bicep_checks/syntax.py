"""Finds what does not parse, or lies outside the part of Bicep that all checkers read."""

from collections.abc import Iterator
from itertools import pairwise

from tree_sitter import Node

from bicep_checks.deployment import Deployment
from bicep_checks.findings import Finding, Rule
from bicep_checks.nodes import call_name, line, text, walk

_LONGEST_SHOWN = 40
# What is valid Bicep, but more than checkov's parser reads: it would then check nothing.
_OUTSIDE = {
    "user_defined_function": "write the expression out; functions are not read by checkov",
    "type_declaration": "use a plain type with a description; checkov reads no other",
    "nullable_type": "use a default of its own; a nullable type is not read by checkov",
    "union_type": "use @allowed; a union is not read by checkov",
    "import_statement": "put it in this file; imports are not read by checkov",
    "import_functionality": "put it in this file; imports are not read by checkov",
    "using_statement": "put parameters into the JSON file; this belongs to .bicepparam",
    "assert_statement": "remove it; assertions are experimental",
    "array_type": "use `array` with a description; typed arrays are not read by checkov",
    "spread_expression": "use union() or concat(); a spread is not read by checkov",
}


def check_syntax(deployment: Deployment) -> Iterator[Finding]:
    """Report every node that the grammar does not know or the subset leaves out."""
    for path, file in deployment.files.items():
        for node in walk(file.root):
            remedy = _syntax_remedy(node)
            if remedy:
                yield Finding(path, line(node), Rule.SYNTAX, remedy)
            remedy = _subset_remedy(node)
            if remedy:
                yield Finding(path, line(node), Rule.SUBSET, remedy)


def _syntax_remedy(node: Node) -> str | None:
    if node.is_missing:
        return f"write the missing {node.type}"
    if node.type == "ERROR":
        shown = " ".join(text(node).split())[:_LONGEST_SHOWN]
        return f"rewrite this, it cannot be read: {shown}"
    if node.type == "object" and _shares_a_line(node):
        return "put a comma or a new line between two properties"
    return None


def _shares_a_line(node: Node) -> bool:
    """Tell whether two properties stand on one line without a comma; the grammar lets them."""
    parts = [one for one in node.children if one.type in {"object_property", ","}]
    return any(
        first.type == second.type == "object_property"
        and first.end_point.row == second.start_point.row
        for first, second in pairwise(parts)
    )


def _subset_remedy(node: Node) -> str | None:
    if node.type == "lambda_expression" and node.named_children[0].type != "identifier":
        return "use a lambda of one argument; others are not read by checkov"
    if node.type == "call_expression" and call_name(node) in {"resourceInput", "resourceOutput"}:
        return "use a plain type; resource-derived types are not read by checkov"
    if node.type == "?" and node.parent is not None and node.parent.type == "ternary_expression":
        return _ternary_remedy(node)
    return _OUTSIDE.get(node.type)


def _ternary_remedy(mark: Node) -> str | None:
    before = mark.prev_sibling
    if before is not None and before.end_point.row < mark.start_point.row:
        return "put `?` at the end of the line before; checkov reads it only there"
    return None
