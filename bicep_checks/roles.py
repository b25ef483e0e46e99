"""Holds roles against the one list of them, and assignments against how they are made."""

import json
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from tree_sitter import Node

from bicep_checks.declarations import BicepFile, Resource
from bicep_checks.deployment import ROLES, Deployment
from bicep_checks.findings import Finding, Rule
from bicep_checks.nodes import arguments, at_path, call_name, line, literals, text, walk

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_ASSIGNMENTS = {
    "Microsoft.Authorization/roleAssignments": "principalType",
    # Cosmos DB finds out by itself what a principal is.
    "Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments": "principalId",
}
_RBAC_FILE = "/rbac.bicep"
_NAME_PARTS = 3  # scope, principal, role: fewer, and two assignments share a name
_OTHER_NAME = "name it by its own scope, principal and role; another one may have this name"
_SITE = "Microsoft.Web/sites"

# Azure's own GUIDs, the same in every tenant. Entered a second time on purpose, so that a slip in
# roles.json is found; and a wider role than these has to be written here first.
KNOWN_ROLES: Mapping[str, str] = MappingProxyType(
    {
        "storageBlobDataOwner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
        "storageBlobDataReader": "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
        "storageBlobDataContributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
        "storageQueueDataContributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
        "storageTableDataContributor": "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
        "eventHubsDataReceiver": "a638d3c7-ab3a-418d-83e6-5f17a39d4fde",
        "eventHubsDataSender": "2b629674-e913-4c01-ae53-ef4638d8f975",
        "monitoringMetricsPublisher": "3913510d-42f4-4e42-8a64-420c390055eb",
        "monitoringReader": "43d0d8ad-25c7-4714-9337-8ba259a9fe05",
        "keyVaultSecretsUser": "4633458b-17de-408a-b874-0445c86b69e6",
        "keyVaultSecretsOfficer": "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
        "cosmosDataReader": "00000000-0000-0000-0000-000000000001",
        "cosmosDataContributor": "00000000-0000-0000-0000-000000000002",
    }
)


def check_roles(deployment: Deployment) -> Iterator[Finding]:
    """Report roles that are not of the list, and assignments that are not made by the rule."""
    yield from _list_findings(deployment)
    for file in deployment.files.values():
        yield from _guids(file)
        for resource in file.resources.values():
            if resource.full_type in _ASSIGNMENTS and not resource.is_existing:
                yield from _assignment(file, resource)
        yield from _roles_first(deployment, file)


def _list_findings(deployment: Deployment) -> Iterator[Finding]:
    source = deployment.text(ROLES)
    try:
        listed = json.loads(source or "")
    except ValueError:
        listed = None
    if not isinstance(listed, dict) or not listed:
        yield Finding(ROLES, 1, Rule.ROLE_LIST, "list the roles as {name: GUID} in JSON")
        return
    sources = " ".join(text(file.root) for file in deployment.files.values())
    for number, name in enumerate(listed, 2):
        if KNOWN_ROLES.get(name) != listed[name]:
            remedy = f"correct {name}; KNOWN_ROLES in bicep_checks/roles.py has its GUID"
            yield Finding(ROLES, number, Rule.ROLE_LIST, remedy)
        elif not re.search(rf"\broles\.{name}\b", sources):
            yield Finding(ROLES, number, Rule.ROLE_LIST, f"use roles.{name} or remove it")


def _guids(file: BicepFile) -> Iterator[Finding]:
    for node, words in literals(file.root):
        if _GUID.search(words):
            remedy = f"take the GUID from {ROLES} with loadJsonContent"
            yield Finding(file.path, line(node), Rule.ROLE_GUID, remedy)


def _assignment(file: BicepFile, resource: Resource) -> Iterator[Finding]:
    name = at_path(resource.body, "name")
    needed = _ASSIGNMENTS[resource.full_type]
    remedies = (
        (not file.path.endswith(_RBAC_FILE), "assign it in rbac.bicep, where all roles stand"),
        (not _is_full_guid(name), "name it guid(scope, principal, role)"),
        (_is_full_guid(name) and not _names_itself(resource), _OTHER_NAME),
        (at_path(resource.body, "properties", needed) is None, f"set properties.{needed}"),
        (not _takes_listed_role(resource), f"take the role from {ROLES}: roles.<name>"),
    )
    for is_broken, remedy in remedies:
        if is_broken:
            told = f"{resource.name}: {remedy}"
            yield Finding(file.path, line(resource.node), Rule.ROLE_ASSIGNMENT, told)


def _is_full_guid(name: Node | None) -> bool:
    if name is None or name.type != "call_expression" or call_name(name) != "guid":
        return False
    return len(arguments(name)) >= _NAME_PARTS


def _names_itself(resource: Resource) -> bool:
    """Tell whether the name is made of the scope, the principal and the role that are assigned."""
    name = at_path(resource.body, "name")
    given = [text(one) for one in arguments(name)] if name is not None else []
    scope = at_path(resource.body, "scope") or at_path(resource.body, "parent")
    principal = at_path(resource.body, "properties", "principalId")
    role = at_path(resource.body, "properties", "roleDefinitionId")
    return (
        (scope is None or given[0] == f"{text(scope)}.id")
        and (principal is None or text(principal) == given[-2])
        and (role is None or given[-1] in text(role))
    )


def _takes_listed_role(resource: Resource) -> bool:
    """Tell whether the role's id is made of more than literal text."""
    role = at_path(resource.body, "properties", "roleDefinitionId")
    return role is not None and any(one.type == "identifier" for one in walk(role))


def _roles_first(deployment: Deployment, file: BicepFile) -> Iterator[Finding]:
    """Report a site that may start before its roles: it shows no functions, and no error."""
    assigning = {
        name
        for name, module in file.modules.items()
        if (called := deployment.called(file, module)) is not None
        if any(one.full_type in _ASSIGNMENTS for one in called.resources.values())
    }
    for module in file.modules.values():
        called = deployment.called(file, module)
        if called is None or not _has_site(called):
            continue
        if not assigning & {text(one) for one in walk(module.body) if one.type == "identifier"}:
            remedy = f"{module.name}: add the module that assigns the roles to dependsOn"
            yield Finding(file.path, line(module.node), Rule.ROLES_FIRST, remedy)


def _has_site(file: BicepFile) -> bool:
    return any(one.full_type == _SITE and not one.is_existing for one in file.resources.values())
