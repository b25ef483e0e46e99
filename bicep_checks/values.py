"""Says which literals an expression can turn out to be."""

from collections.abc import Iterator
from dataclasses import dataclass

from tree_sitter import Node

from bicep_checks.declarations import BicepFile
from bicep_checks.nodes import arguments, call_name, named_after, text

_DEEPEST = 20  # a variable that names itself is the compiler's to refuse, not to follow for ever


@dataclass(frozen=True, slots=True)
class Value:
    """One literal that an expression may be.

    Parameters
    ----------
    is_part : bool
        Whether it is merged with others, so that it need not be complete.
    """

    node: Node
    is_part: bool = False


def possible_values(file: BicepFile, node: Node, depth: int = 0) -> Iterator[Value]:
    """Yield each literal, object or array that an expression may be.

    Conditions give both branches, variables what they hold, parameters their default and what
    they allow, `union` and `concat` their arguments. What depends on the deployment gives itself.
    """
    if depth > _DEEPEST:
        return
    merged = node.type == "call_expression" and call_name(node) in {"union", "concat"}
    inner = _inner(file, node)
    if inner is None:
        yield Value(node)
        return
    for one in inner:
        for value in possible_values(file, one, depth + 1):
            yield Value(value.node, value.is_part or merged)


def _inner(file: BicepFile, node: Node) -> list[Node] | None:
    """Return what an expression chooses from, or None where it is itself the value."""
    if node.type == "ternary_expression":
        return [one for name in ("consequence", "alternative") if (one := _field(node, name))]
    if node.type == "parenthesized_expression":
        return node.named_children
    if node.type == "binary_expression" and any(one.type == "??" for one in node.children):
        return [one for name in ("left", "right") if (one := _field(node, name))]
    if node.type == "call_expression" and call_name(node) in {"union", "concat"}:
        return arguments(node)
    if node.type == "for_statement":
        return None
    return _held(file, text(node)) if node.type == "identifier" else None


def _field(node: Node, name: str) -> Node | None:
    return node.child_by_field_name(name)


def _held(file: BicepFile, name: str) -> list[Node] | None:
    if name in file.variables:
        value = file.variables[name].value
        return [value] if value is not None else None
    if name in file.parameters:
        return _allowed(file, name) or None
    return None


def _allowed(file: BicepFile, name: str) -> list[Node]:
    """Return a parameter's default and allowed values."""
    declared = file.parameters[name]
    allowed = declared.decorators.get("allowed")
    listed = arguments(allowed)[0].named_children if allowed and arguments(allowed) else []
    found = [one for one in listed if one.type != "comment"]
    return found + ([declared.value] if declared.value is not None else [])


def items(node: Node) -> Iterator[Node]:
    """Yield what an array literal or a loop holds."""
    if node.type == "array":
        for one in node.named_children:
            if one.type == "for_statement":
                yield from items(one)
            elif one.type != "comment":
                yield one
    elif node.type == "for_statement":
        body = node.named_children[-1]
        if body.type == "if_statement":
            body = named_after(body, ")") or body.named_children[-1]
        yield body
