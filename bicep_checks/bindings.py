"""Holds the triggers of the app against what is deployed for them."""

import ast
import re
from collections.abc import Iterator

from bicep_checks.app_settings import emitted_settings
from bicep_checks.deployment import PARAMETERS, Deployment
from bicep_checks.findings import Finding, Rule
from bicep_checks.nodes import line, literals

APP = "function_app.py"
_NAMED = re.compile(r"%(\w+)%")
_FUNCTION = re.compile(r"function:(\w+)|AzureWebJobs\.(\w+)\.Disabled")


def check_bindings(deployment: Deployment) -> Iterator[Finding]:
    """Report settings that a binding needs and nobody sets, and functions that do not exist."""
    tree = ast.parse(deployment.text(APP) or "")
    emitted = {name for _, name, _ in emitted_settings(deployment)}
    for name, number in _needed(tree):
        if not any(one == name or one.startswith(f"{name}__") for one in emitted):
            remedy = f"set {name} in Bicep; the host finds no value for the binding"
            yield Finding(APP, number, Rule.BINDING, remedy)
    functions = set(_functions(tree))
    for path, number, name in _mentioned(deployment):
        if name not in functions:
            remedy = f"name a function of {APP} instead of {name}"
            yield Finding(path, number, Rule.BINDING, remedy)


def _needed(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield what `%NAME%` and connections take from the app settings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for name in _NAMED.findall(node.value):
                yield name, node.lineno
        match node:
            case ast.keyword(arg="connection", value=ast.Constant(value=str(name))):
                yield name, node.value.lineno


def _functions(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="function_name"), args=[ast.Constant(value=str(name))]
            ):
                yield name


def _mentioned(deployment: Deployment) -> Iterator[tuple[str, int, str]]:
    for file in deployment.files.values():
        for node, words in literals(file.root):
            for always_ready, disabled in _FUNCTION.findall(words):
                yield file.path, line(node), always_ready or disabled
    source = deployment.text(PARAMETERS) or ""
    for number, words in enumerate(source.splitlines(), 1):
        for always_ready, disabled in _FUNCTION.findall(words):
            yield PARAMETERS, number, always_ready or disabled
