"""Reads values out of Bicep's syntax tree."""

from collections.abc import Iterator, Mapping

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

_BICEP = Language(tree_sitter_bicep.language())


def parse(source: bytes) -> Node:
    """Parse a file; what cannot be parsed stands in ERROR nodes."""
    return Parser(_BICEP).parse(source).root_node


def text(node: Node) -> str:
    """Return a node as it stands in the file."""
    return (node.text or b"").decode()


def line(node: Node) -> int:
    """Return the node's first line, counted from 1."""
    return node.start_point.row + 1


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all below it, in the order of the file."""
    yield node
    for child in node.children:
        yield from walk(child)


def literal(node: Node | None) -> str | None:
    """Return the text of a string without interpolation, else None."""
    if node is None or node.type != "string":
        return None
    if any(part.type == "interpolation" for part in node.named_children):
        return None
    return "".join(text(part) for part in node.named_children)


def literals(node: Node) -> Iterator[tuple[Node, str]]:
    """Yield every piece of literal text below a node, interpolated strings' pieces too."""
    for one in walk(node):
        if one.type == "string_content":
            yield one, text(one)


def named_after(node: Node, token: str) -> Node | None:
    """Return the named child after a token such as `=`, past comments."""
    tokens = [child.type for child in node.children]
    if token not in tokens:
        return None
    after = node.children[tokens.index(token) + 1 :]
    return next((one for one in after if one.is_named and one.type != "comment"), None)


def members(node: Node) -> Mapping[str, Node]:
    """Return an object's literal keys with their values; computed keys are left out."""
    found = (member(one) for one in node.named_children if one.type == "object_property")
    return {one[0]: one[1] for one in found if one is not None}


def member(node: Node) -> tuple[str, Node] | None:
    """Return the key and the value of one property, or None where the key is computed."""
    parts = [one for one in node.named_children if one.type != "comment"]
    if len(parts) < 2:  # noqa: PLR2004  # a key and a value; a nested declaration has no key
        return None
    key = literal(parts[0]) if parts[0].type == "string" else text(parts[0])
    return None if key is None else (key, parts[-1])


def at_path(node: Node | None, *keys: str) -> Node | None:
    """Return the value at a path of literal keys."""
    for key in keys:
        node = members(node).get(key) if node is not None and node.type == "object" else None
    return node


def call_name(node: Node) -> str:
    """Return the function that a call names, without its namespace or object."""
    function = node.child_by_field_name("function")
    if function is None:
        return ""
    return text(function.child_by_field_name("property") or function)


def arguments(node: Node) -> list[Node]:
    """Return a call's arguments."""
    found = node.child_by_field_name("arguments")
    return [] if found is None else [one for one in found.named_children if one.type != "comment"]


def chain(node: Node) -> tuple[Node, tuple[str, ...]]:
    """Take `a.b[0].c` apart into its root and the path from there, an index being `[]`."""
    path: list[str] = []
    while node.type in {"member_expression", "subscript_expression"}:
        inner = node.child_by_field_name("object")
        if inner is None:
            break
        found = node.child_by_field_name("property")
        path.append(text(found) if found is not None else "[]")
        node = inner
    return node, tuple(reversed(path))
