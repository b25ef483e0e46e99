"""Finds which names an expression uses, and which of them are bound on the way."""

from collections.abc import Iterator

from tree_sitter import Node

from bicep_checks.nodes import text

# Their first identifier is the name that they declare.
_DECLARATIONS = {
    "parameter_declaration",
    "variable_declaration",
    "output_declaration",
    "resource_declaration",
    "module_declaration",
    "metadata_declaration",
}


def used_names(node: Node, bound: frozenset[str] = frozenset()) -> Iterator[Node]:
    """Yield each identifier that refers to a symbol of the file.

    Parameters
    ----------
    node : Node
        Where to look, with everything below it.
    bound : frozenset of str
        Variables of loops and lambdas around the node; they are not yielded.
    """
    if node.type == "identifier":
        if text(node) not in bound:
            yield node
        return
    if node.type in {"type", "target_scope_assignment"}:
        return
    for child in _referring(node):
        yield from used_names(child, bound | _bound_in(node, child))


def _referring(node: Node) -> list[Node]:
    """Return the children that hold references, without names that are declared or called."""
    parts = [one for one in node.named_children if one.type not in {"comment", "loop_variable"}]
    if node.type in _DECLARATIONS:
        return parts[1:]
    if node.type == "object_property" and parts and parts[0].type == "identifier":
        return parts[1:]
    if node.type in {"member_expression", "subscript_expression", "resource_expression"}:
        return [one for one in parts if one != node.child_by_field_name("resource")]
    if node.type == "call_expression" and parts and parts[0].type == "identifier":
        return parts[1:]
    if node.type == "for_statement":
        return [one for one in parts if one != _loop_symbol(node)]
    return [] if node.type == "for_loop_parameters" else parts


def _loop_symbol(loop: Node) -> Node | None:
    first = loop.named_children[0]
    return first if first.type == "identifier" else None


def _bound_in(node: Node, child: Node) -> frozenset[str]:
    if node.type == "for_statement":
        return _loop_variables(node)
    # The grammar ends a lambda's body early, so its variable counts in the whole argument.
    return _lambda_variables(child) if node.type == "arguments" else frozenset()


def _loop_variables(loop: Node) -> frozenset[str]:
    first = loop.named_children[0]
    if first.type == "for_loop_parameters":
        return frozenset(text(one) for one in first.named_children)
    return frozenset({text(first)})


def _lambda_variables(argument: Node) -> frozenset[str]:
    found: set[str] = set()
    waiting = [argument]
    while waiting:
        node = waiting.pop()
        if node.type == "lambda_expression":
            first = node.named_children[0]
            found |= {text(first)} if first.type == "identifier" else set(_texts(first))
        if node.type != "arguments":
            waiting.extend(node.named_children)
    return frozenset(found)


def _texts(node: Node) -> list[str]:
    return [text(one) for one in node.named_children]
