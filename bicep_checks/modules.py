"""Holds each use of a module against the file that it names."""

from collections.abc import Iterator, Mapping

from tree_sitter import Node

from bicep_checks.declarations import BicepFile, ModuleCall
from bicep_checks.deployment import Deployment
from bicep_checks.findings import Finding, Rule
from bicep_checks.nodes import at_path, line, members


def check_modules(deployment: Deployment) -> Iterator[Finding]:
    """Report modules that are missing, called wrongly, in part or by nobody."""
    for file in deployment.files.values():
        for module in file.modules.values():
            called = deployment.called(file, module)
            if called is None:
                remedy = f"name a file of this project; {module.path} is not there"
                yield Finding(file.path, line(module.node), Rule.MODULE_FILE, remedy)
                continue
            yield from _wrong_parameters(file, module, called)
            yield from _wrong_scope(file, module, called)
    yield from _uncalled(deployment)
    yield from _never_given(deployment)


def _wrong_parameters(file: BicepFile, module: ModuleCall, called: BicepFile) -> Iterator[Finding]:
    given = _given(module)
    for name in given.keys() - called.parameters.keys():
        remedy = f"remove {name}; {called.path} has no such parameter"
        yield Finding(file.path, line(given[name]), Rule.MODULE_PARAMETER, remedy)
    for name, declared in called.parameters.items():
        if name not in given and declared.value is None and not declared.type.endswith("?"):
            remedy = f"give {name}; {called.path} has no default for it"
            yield Finding(file.path, line(module.node), Rule.MODULE_PARAMETER, remedy)


def _given(module: ModuleCall) -> Mapping[str, Node]:
    params = at_path(module.body, "params")
    return {} if params is None else members(params)


def _wrong_scope(file: BicepFile, module: ModuleCall, called: BicepFile) -> Iterator[Finding]:
    has_scope = at_path(module.body, "scope") is not None
    if called.target_scope != file.target_scope and not has_scope:
        remedy = f"give a scope; {called.path} is deployed to a {called.target_scope}"
        yield Finding(file.path, line(module.node), Rule.MODULE_SCOPE, remedy)


def _uncalled(deployment: Deployment) -> Iterator[Finding]:
    called = {
        found.path
        for file in deployment.files.values()
        for module in file.modules.values()
        if (found := deployment.called(file, module)) is not None
    }
    for path in deployment.files:
        if "/modules/" in path and path not in called:
            yield Finding(path, 1, Rule.MODULE_FILE, "call this module or remove it")


def _never_given(deployment: Deployment) -> Iterator[Finding]:
    """Report parameters of modules that no call gives: whoever deploys cannot reach them."""
    given: dict[str, set[str]] = {}
    for file in deployment.files.values():
        for module in file.modules.values():
            called = deployment.called(file, module)
            if called is not None:
                given.setdefault(called.path, set()).update(_given(module))
    for path, names in given.items():
        for name, declared in deployment.files[path].parameters.items():
            if name not in names and declared.value is not None:
                remedy = f"give {name} in a call of this file, or make it a variable"
                yield Finding(path, line(declared.node), Rule.MODULE_PARAMETER, remedy)
