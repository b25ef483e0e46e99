"""Holds names against declarations: each is described, used and defined."""

from collections.abc import Iterator, Mapping
from itertools import chain

from tree_sitter import Node

from bicep_checks.declarations import BicepFile, Declaration
from bicep_checks.deployment import Deployment
from bicep_checks.findings import Finding, Rule
from bicep_checks.functions import DECORATORS, FUNCTIONS, NAMESPACES
from bicep_checks.identifiers import used_names
from bicep_checks.nodes import call_name, line, text, walk


def check_names(deployment: Deployment) -> Iterator[Finding]:
    """Report what is not described, not used or not defined."""
    for file in deployment.files.values():
        yield from _not_described(file)
        yield from _not_used(file)
        yield from _undefined(file)
        yield from _unknown_functions(file)


def _not_described(file: BicepFile) -> Iterator[Finding]:
    for kind, declared in (("parameter", file.parameters), ("output", file.outputs)):
        for one in declared.values():
            if not one.description.strip():
                remedy = f"describe the {kind} {one.name} with @description"
                yield Finding(file.path, line(one.node), Rule.NOT_DESCRIBED, remedy)


def _not_used(file: BicepFile) -> Iterator[Finding]:
    used = {text(one) for one in used_names(file.root)}
    existing = {name: one for name, one in file.resources.items() if one.is_existing}
    kinds: Mapping[str, Mapping[str, Declaration] | Mapping[str, object]]
    kinds = {"parameter": file.parameters, "variable": file.variables, "resource": existing}
    for kind, declared in kinds.items():
        for name in declared.keys() - used:
            node = _declared_at(file, name)
            yield Finding(file.path, node, Rule.NOT_USED, f"use the {kind} {name} or remove it")


def _declared_at(file: BicepFile, name: str) -> int:
    found = chain(
        (
            one.node
            for one in (*file.parameters.values(), *file.variables.values())
            if one.name == name
        ),
        (one.node for one in file.resources.values() if one.name == name),
    )
    return line(next(found))


def _undefined(file: BicepFile) -> Iterator[Finding]:
    known = {*file.parameters, *file.variables, *file.resources, *file.modules, *NAMESPACES}
    for one in used_names(file.root):
        if text(one) not in known:
            remedy = f"declare {text(one)} or correct its name"
            yield Finding(file.path, line(one), Rule.UNDEFINED_NAME, remedy)


def _unknown_functions(file: BicepFile) -> Iterator[Finding]:
    for node in walk(file.root):
        if node.type != "call_expression" or call_name(node).startswith("list"):
            continue
        known = DECORATORS if _is_decorator(node) else FUNCTIONS
        if call_name(node) not in known:
            remedy = f"correct the name {call_name(node)}; Bicep has no such function"
            yield Finding(file.path, line(node), Rule.UNKNOWN_FUNCTION, remedy)


def _is_decorator(call: Node) -> bool:
    return call.parent is not None and call.parent.type == "decorator"
