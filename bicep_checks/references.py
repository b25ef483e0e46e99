"""Holds `module.outputs.x`, `variable.x` and loaded files against what they name."""

import json
from collections.abc import Iterator

from tree_sitter import Node

from bicep_checks.declarations import BicepFile
from bicep_checks.deployment import FOLDER, Deployment, beside
from bicep_checks.findings import Finding, Rule
from bicep_checks.nodes import arguments, call_name, chain, line, literal, members, text, walk

_LOADERS = {"loadTextContent", "loadJsonContent", "loadYamlContent", "loadFileAsBase64"}


def check_references(deployment: Deployment) -> Iterator[Finding]:
    """Report members that what they are taken from does not have."""
    for file in deployment.files.values():
        for node in walk(file.root):
            if node.type == "member_expression" and not is_inner(node):
                yield from _unknown_member(deployment, file, node)


def is_inner(node: Node) -> bool:
    """Tell whether more of the same path stands to its right, or it is called."""
    parent = node.parent
    return parent is not None and node in {
        parent.child_by_field_name("object"),
        parent.child_by_field_name("function"),
    }


def _unknown_member(deployment: Deployment, file: BicepFile, node: Node) -> Iterator[Finding]:
    root, path = chain(node)
    name = text(root)
    if root.type == "identifier" and name in file.variables:
        root = file.variables[name].value or root
    if root.type == "identifier" and name in file.modules:
        problem = _output_problem(deployment, file, name, path)
    elif root.type == "call_expression" and call_name(root) == "loadJsonContent":
        problem = _json_problem(deployment, file, root, path)
    elif root.type == "object" and not _has_computed_keys(root):
        problem = None if path[0] in {*members(root), "[]"} else f"{name} has no {path[0]}"
    else:
        return
    if problem:
        yield Finding(file.path, line(node), Rule.UNKNOWN_MEMBER, f"correct the name; {problem}")


def _has_computed_keys(node: Node) -> bool:
    return len(members(node)) < sum(one.type == "object_property" for one in node.named_children)


def _output_problem(
    deployment: Deployment, file: BicepFile, name: str, path: tuple[str, ...]
) -> str | None:
    called = deployment.called(file, file.modules[name])
    names = [one for one in path if one != "[]"]
    if called is None or names[:1] == ["name"]:
        return None
    if names[:1] != ["outputs"]:
        return "a module has outputs and a name"
    return None if {*names[1:2]} <= called.outputs.keys() else f"{called.path} has no {names[1]}"


def _json_problem(
    deployment: Deployment, file: BicepFile, call: Node, path: tuple[str, ...]
) -> str | None:
    found = _loaded(deployment, file, call)
    if found is None or path[0] == "[]":
        return None
    try:
        document = json.loads(found[1])
    except ValueError:
        return f"{found[0]} is no JSON"
    return None if path[0] in document else f"{found[0]} has no {path[0]}"


def _loaded(deployment: Deployment, file: BicepFile, call: Node) -> tuple[str, str] | None:
    given = literal(arguments(call)[0]) if arguments(call) else None
    if given is None:
        return None
    path = beside(file, given)
    content = deployment.text(path)
    return None if content is None else (path, content)


def check_loaded_files(deployment: Deployment) -> Iterator[Finding]:
    """Report files that are loaded and missing, and queries that nobody loads."""
    loaded = set()
    for file in deployment.files.values():
        for node in walk(file.root):
            if node.type != "call_expression" or call_name(node) not in _LOADERS:
                continue
            found = _loaded(deployment, file, node)
            if found is None:
                remedy = f"name a file that exists; {text(node)} loads none"
                yield Finding(file.path, line(node), Rule.LOADED_FILE, remedy)
            else:
                loaded.add(found[0])
    for one in sorted((deployment.root / FOLDER).rglob("*.kql")):
        path = one.relative_to(deployment.root).as_posix()
        if path not in loaded:
            yield Finding(path, 1, Rule.LOADED_FILE, "load this query or remove it")
