"""Holds the parameters of main.bicep against those of app.bicep, which may be deployed alone."""

from collections.abc import Iterator

from bicep_checks.declarations import Declaration
from bicep_checks.deployment import APP, MAIN, Deployment
from bicep_checks.findings import Finding, Rule
from bicep_checks.nodes import line, text

# Of a resource group app.bicep knows the region by itself.
_OWN_DEFAULT = {"location"}


def check_same_parameters(deployment: Deployment) -> Iterator[Finding]:
    """Report parameters that both files have and do not declare alike.

    That neither file has one too many follows from other rules: what app.bicep declares has to be
    given, and what main.bicep declares has to be used.
    """
    main, app = deployment.files.get(MAIN), deployment.files.get(APP)
    if main is None or app is None:
        return
    for name in app.parameters.keys() & main.parameters.keys():
        own, other = app.parameters[name], main.parameters[name]
        for what in _differences(own, other):
            remedy = f"give {name} the {what} that it has in {MAIN}"
            yield Finding(APP, line(own.node), Rule.SAME_PARAMETER, remedy)


def _differences(one: Declaration, other: Declaration) -> Iterator[str]:
    if one.type != other.type:
        yield "type"
    if one.name not in _OWN_DEFAULT and _default(one) != _default(other):
        yield "default"
    if _decorators(one) != _decorators(other):
        yield "decorators"


def _default(declared: Declaration) -> str | None:
    return None if declared.value is None else _plain(text(declared.value))


def _decorators(declared: Declaration) -> dict[str, str]:
    return {name: _plain(text(call)) for name, call in declared.decorators.items()}


def _plain(source: str) -> str:
    return " ".join(source.split())
