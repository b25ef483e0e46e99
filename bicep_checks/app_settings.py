"""Holds the settings that are deployed, shown and documented against those that there are."""

import json
import re
from collections.abc import Iterator, Mapping

from tree_sitter import Node

from bicep_checks.declarations import BicepFile
from bicep_checks.deployment import PARAMETERS, Deployment
from bicep_checks.findings import Finding, Rule
from bicep_checks.nodes import (
    arguments,
    at_path,
    call_name,
    chain,
    line,
    literal,
    member,
    text,
    walk,
)
from bicep_checks.values import items, possible_values
from scoring.known_settings import HOST_SETTINGS, SETTINGS, Setting

EXAMPLE = "local.settings.json.example"
DOCUMENT = "docs/settings.md"
_SITE = "Microsoft.Web/sites"
_SETTING_NAME = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
_KEY = re.compile(rf'"({_SETTING_NAME.pattern})"\s*:')
_ROW = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)


def settings_of(place: str) -> Mapping[str, Setting]:
    """Return the settings that belong to a place, `local` or `azure`, the host's among them."""
    everything = {**SETTINGS, **HOST_SETTINGS}
    return {name: one for name, one in everything.items() if one.where in {place, "both"}}


def emitted_settings(deployment: Deployment) -> Iterator[tuple[BicepFile, str, Node]]:
    """Yield file, name and place of each app setting that Bicep names literally."""
    for file in deployment.files.values():
        for resource in file.resources.values():
            if resource.full_type == _SITE and not resource.is_existing:
                found = at_path(resource.body, "properties", "siteConfig", "appSettings")
                if found is not None:
                    yield from ((file, name, node) for name, node in _names(file, found))


def _names(file: BicepFile, node: Node) -> Iterator[tuple[str, Node]]:
    """Yield the names in an array of name and value, or in the object that it is made from."""
    for value in possible_values(file, node):
        source = _items_source(value.node)
        if source is not None:
            yield from _keys(file, source)
            continue
        for one in items(value.node):
            name = literal(at_path(one, "name"))
            if name is not None:
                yield name, one


def _items_source(node: Node) -> Node | None:
    """Return X of `[for one in items(X): …]`."""
    for one in node.named_children if node.type == "for_statement" else []:
        if one.type == "call_expression" and call_name(one) == "items":
            return arguments(one)[0]
    if node.type == "array" and len(node.named_children) == 1:
        return _items_source(node.named_children[0])
    return None


def _keys(file: BicepFile, node: Node) -> Iterator[tuple[str, Node]]:
    for value in possible_values(file, node):
        if value.node.type == "object":
            for one in value.node.named_children:
                found = member(one) if one.type == "object_property" else None
                if found is not None:
                    yield found[0], one


def check_app_settings(deployment: Deployment) -> Iterator[Finding]:
    """Report settings that Bicep, the example or the document lack or have too many of."""
    yield from _bicep(deployment)
    yield from _example(deployment)
    yield from _document(deployment)


def _bicep(deployment: Deployment) -> Iterator[Finding]:
    wanted = settings_of("azure")
    seen: set[str] = set()
    files = list(deployment.files.values())
    path, last = files[0].path, 1
    for file, name, node in emitted_settings(deployment):
        path, last = file.path, line(node)
        if name not in wanted:
            remedy = f"remove {name}, or mark it azure in scoring/known_settings.py"
            yield Finding(path, last, Rule.APP_SETTING, remedy)
        if name in seen:
            yield Finding(path, last, Rule.APP_SETTING, f"set {name} once")
        seen.add(name)
        for other in sorted(set(_looked_up(file, node)) - {name}):
            remedy = f"give {name} its own value; it takes that of {other}"
            yield Finding(path, last, Rule.APP_SETTING, remedy)
    for name in wanted.keys() - seen:
        yield Finding(path, last, Rule.APP_SETTING, f"set {name}: {wanted[name].meaning}")
    for file in files:
        yield from _asked(file, wanted)
    yield from _given(deployment, wanted)


def _looked_up(file: BicepFile, node: Node) -> Iterator[str]:
    """Yield the settings that a value reads from a parameter, itself or through a variable."""
    for one in walk(node):
        if one.type == "member_expression":
            yield from _setting_of_parameter(file, one)
        held = file.variables.get(text(one)) if one.type == "identifier" else None
        if held is not None and held.value is not None and held.value.type != "object":
            for inner in walk(held.value):
                yield from _setting_of_parameter(file, inner)


def _setting_of_parameter(file: BicepFile, node: Node) -> Iterator[str]:
    if node.type == "member_expression":
        root, path = chain(node)
        if text(root) in file.parameters:
            yield from (name for name in path if _SETTING_NAME.fullmatch(name))


def _asked(file: BicepFile, wanted: Mapping[str, Setting]) -> Iterator[Finding]:
    """Report settings that are looked up in a parameter and do not exist."""
    for node in walk(file.root):
        for name in _setting_of_parameter(file, node):
            if name not in wanted:
                remedy = f"correct {name}; no setting has this name"
                yield Finding(file.path, line(node), Rule.APP_SETTING, remedy)


def _given(deployment: Deployment, wanted: Mapping[str, Setting]) -> Iterator[Finding]:
    """Report settings that the parameters file gives and that do not exist."""
    source = deployment.text(PARAMETERS) or ""
    for name in _KEY.findall(source):
        if name not in wanted:
            number = source[: source.index(f'"{name}"')].count("\n") + 1
            remedy = f"correct {name}; no setting has this name"
            yield Finding(PARAMETERS, number, Rule.APP_SETTING, remedy)


def _example(deployment: Deployment) -> Iterator[Finding]:
    source = deployment.text(EXAMPLE) or "{}"
    shown = json.loads(source).get("Values", {})
    yield from _compared(EXAMPLE, source, set(shown), set(settings_of("local")))


def _document(deployment: Deployment) -> Iterator[Finding]:
    source = deployment.text(DOCUMENT) or ""
    yield from _compared(DOCUMENT, source, set(_ROW.findall(source)), {*SETTINGS, *HOST_SETTINGS})


def _compared(path: str, source: str, found: set[str], wanted: set[str]) -> Iterator[Finding]:
    for name in found - wanted:
        number = source[: source.index(name)].count("\n") + 1
        yield Finding(path, number, Rule.APP_SETTING, f"remove {name}; it does not belong here")
    for name in wanted - found:
        yield Finding(path, 1, Rule.APP_SETTING, f"add {name}")
