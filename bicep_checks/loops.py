"""Holds what a loop reads from its variable against the objects that it goes over."""

from collections.abc import Iterator

from tree_sitter import Node

from bicep_checks.declarations import BicepFile
from bicep_checks.deployment import Deployment
from bicep_checks.findings import Finding, Rule
from bicep_checks.nodes import chain, line, members, text, walk
from bicep_checks.values import items, possible_values


def check_loops(deployment: Deployment) -> Iterator[Finding]:
    """Report `one.x` in a loop over objects of which some have no `x`."""
    for file in deployment.files.values():
        for loop in walk(file.root):
            if loop.type == "for_statement" and len(loop.named_children) > 1:
                yield from _loop_findings(file, loop)


def _loop_findings(file: BicepFile, loop: Node) -> Iterator[Finding]:
    first, source = loop.named_children[:2]
    variable = first.named_children[0] if first.type == "for_loop_parameters" else first
    objects = [
        one.node
        for value in possible_values(file, source)
        for item in items(value.node)
        for one in possible_values(file, item)
        if one.node.type == "object"
    ]
    for node, name in _read(loop, text(variable)):
        for one in objects:
            if name not in members(one):
                remedy = f"set {name}, or read it with .?; line {line(node)} reads it"
                yield Finding(file.path, line(one), Rule.UNKNOWN_MEMBER, remedy)


def _read(loop: Node, variable: str) -> Iterator[tuple[Node, str]]:
    """Yield each member that is read from the variable outright."""
    for node in walk(loop):
        if node.type == "member_expression":
            root, path = chain(node)
            outright = "." in [child.type for child in node.children]
            if text(root) == variable and len(path) == 1 and outright:
                yield node, path[0]
