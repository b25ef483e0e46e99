"""Holds the parameters file and azd's own file against main.bicep."""

import json
import re
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from tree_sitter import Node

from bicep_checks.declarations import BicepFile, Declaration
from bicep_checks.deployment import MAIN, PARAMETERS, Deployment
from bicep_checks.findings import Finding, Rule
from bicep_checks.nodes import literal, members, text, walk

AZURE_YAML = "azure.yaml"
_SERVICE_TAG = "azd-service-name"
# azd keeps these after a deployment; its later commands look the resource group up by them.
_AZD_OUTPUTS = ("AZURE_LOCATION", "AZURE_TENANT_ID", "AZURE_RESOURCE_GROUP")
_VARIABLE = re.compile(r"\$\{([^}=]*)=?([^}]*)\}")
_VARIABLE_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
_KINDS: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "int": int,
    "bool": bool,
    "array": list,
    "object": dict,
}


def check_parameters_file(deployment: Deployment) -> Iterator[Finding]:
    """Report parameters that the file lacks, has too many of, or gives a wrong value."""
    main = deployment.files.get(MAIN)
    if main is None:
        yield Finding(MAIN, 1, Rule.PARAMETERS_FILE, "write this file; azd deploys it")
        return
    source = deployment.text(PARAMETERS)
    given = _given(source)
    if source is None or given is None:
        remedy = 'write {"parameters": {name: {"value": …}}} in JSON'
        yield Finding(PARAMETERS, 1, Rule.PARAMETERS_FILE, remedy)
        return
    for name in sorted(given.keys() ^ main.parameters.keys()):
        remedy = (
            f"remove {name}; {MAIN} has no such parameter"
            if name in given
            else f"map the parameter {name}"
        )
        yield Finding(PARAMETERS, _line_of(source, name), Rule.PARAMETERS_FILE, remedy)
    for name in sorted(given.keys() & main.parameters.keys()):
        for remedy in _value_problems(main.parameters[name], given[name]):
            yield Finding(PARAMETERS, _line_of(source, name), Rule.PARAMETERS_FILE, remedy)
    yield from _shared_variables(source)


def _given(source: str | None) -> dict[str, Any] | None:
    try:
        return {name: one["value"] for name, one in json.loads(source or "")["parameters"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _line_of(source: str, name: str) -> int:
    before, found, _ = source.partition(f'"{name}"')
    return before.count("\n") + 1 if found else 1


def _value_problems(declared: Declaration, value: Any) -> Iterator[str]:
    variables = _VARIABLE.findall(value) if isinstance(value, str) else []
    if not variables and not _has_kind(value, declared.type):
        yield f"give {declared.name} a value of type {declared.type}"
    for variable, default in variables:
        if not _VARIABLE_NAME.fullmatch(variable):
            yield f"name an environment variable in capitals instead of {variable or 'nothing'}"
        if declared.is_secure or declared.value is None:
            continue  # a default that is a secret is not repeated here
        if not _is_same(declared, default):
            given = " ".join(text(declared.value).split())
            yield f"write ${{{variable}={given}}}, the default of {declared.name} in {MAIN}"


def _shared_variables(source: str) -> Iterator[Finding]:
    """Report variables that set two things at once."""
    seen = set()
    for number, words in enumerate(source.splitlines(), 1):
        for variable, _ in _VARIABLE.findall(words):
            if variable in seen:
                remedy = f"name another variable; {variable} stands above already"
                yield Finding(PARAMETERS, number, Rule.PARAMETERS_FILE, remedy)
            seen.add(variable)


def _has_kind(value: Any, kind: str) -> bool:
    if kind == "int" and isinstance(value, bool):  # which is an int to Python
        return False
    return isinstance(value, _KINDS.get(kind, object))


def _is_same(declared: Declaration, default: str) -> bool:
    """Tell whether azd, where nothing is set, gives what Bicep would take by itself.

    azd gives an empty text where there is no default, which is not the same as giving nothing.
    """
    node = declared.value
    if node is None or declared.type == "string":
        return default == (literal(node) if node is not None else "")
    if declared.type in {"array", "object"}:
        # a literal of Bicep is no JSON; that it is one of the right kind has to do
        return _has_kind(_json(default), declared.type)
    return default == text(node)


def _json(source: str) -> Any:
    try:
        return json.loads(source)
    except ValueError:
        return None


def check_azd(deployment: Deployment) -> Iterator[Finding]:
    """Report what azd needs and does not find."""
    main = deployment.files.get(MAIN)
    if main is not None:
        for name in _AZD_OUTPUTS:
            if name not in main.outputs:
                yield Finding(MAIN, 1, Rule.AZD, f"give the output {name}; azd keeps it")
    source = deployment.text(AZURE_YAML)
    services = _services(source)
    if not services:
        yield Finding(AZURE_YAML, 1, Rule.AZD, "name the service that azd deploys")
        return
    tagged = set(_service_tags(deployment))
    for name in sorted(services - tagged):
        remedy = f"tag one resource {_SERVICE_TAG}: '{name}'; azd looks the service up by it"
        yield Finding(AZURE_YAML, 1, Rule.AZD, remedy)


def _services(source: str | None) -> set[str]:
    document = YAML(typ="safe").load(source or "")
    services = document.get("services") if isinstance(document, dict) else None
    return set(services) if isinstance(services, dict) else set()


def _service_tags(deployment: Deployment) -> Iterator[str]:
    for file in deployment.files.values():
        for node in walk(file.root):
            if node.type == "object":
                found = _literal_of(file, members(node).get(_SERVICE_TAG))
                if found is not None:
                    yield found


def _literal_of(file: BicepFile, node: Node | None) -> str | None:
    """Return a literal, also one that a variable or a parameter's default holds."""
    if node is not None and node.type == "identifier":
        declared = file.variables.get(text(node)) or file.parameters.get(text(node))
        return literal(declared.value) if declared is not None else None
    return literal(node)
