"""Finds services that could be reached without an identity."""

from collections.abc import Iterator, Mapping

from bicep_checks.declarations import BicepFile, Resource
from bicep_checks.deployment import Deployment
from bicep_checks.findings import Finding, Rule
from bicep_checks.nodes import at_path, line, text
from bicep_checks.schema_types import ResourceSchema
from bicep_checks.values import possible_values

# Where a type has one of these, it has to be set so: asked of every type that knows it.
_WANTED = (
    ("disableLocalAuth", "true"),
    ("DisableLocalAuth", "true"),
    ("allowSharedKeyAccess", "false"),
    ("allowBlobPublicAccess", "false"),
    ("isLocalUserEnabled", "false"),
    ("enableRbacAuthorization", "true"),
)
_PLACES = (("properties",), ("properties", "features"))
# FTP and the deployment site take a password unless these say no.
_PUBLISHING = "Microsoft.Web/sites/basicPublishingCredentialsPolicies"
_SITE = "Microsoft.Web/sites"


def check_local_auth(
    deployment: Deployment, schemas: Mapping[str, ResourceSchema | None]
) -> Iterator[Finding]:
    """Report resources that leave a way in by key or password."""
    for file in deployment.files.values():
        for resource in file.resources.values():
            schema = schemas.get(resource.full_type)
            if schema is None or resource.is_existing:
                continue
            for place, name, wanted in _wanted(schema):
                if not _is(file, resource, (*place, name), wanted):
                    yield _finding(file, resource, ".".join((*place, name)), wanted)
        yield from _publishing(file)


def _wanted(schema: ResourceSchema) -> Iterator[tuple[tuple[str, ...], str, str]]:
    for place in _PLACES:
        declared = schema.body
        for step in place:
            known = declared.properties.get(step)
            inner = schema.object_type(known.type) if known is not None else None
            if inner is None:
                break
            declared = inner
        else:
            for name, wanted in _WANTED:
                known = declared.properties.get(name)
                if known is not None and known.type == "bool" and not known.is_read_only:
                    yield place, name, wanted


def _is(file: BicepFile, resource: Resource, path: tuple[str, ...], wanted: str) -> bool:
    """Tell whether a property can only be the wanted literal."""
    node = at_path(resource.body, *path)
    if node is None:
        return False
    return all(text(one.node) == wanted for one in possible_values(file, node))


def _finding(file: BicepFile, resource: Resource, name: str, wanted: str) -> Finding:
    remedy = f"{resource.name}: set {name} to {wanted}; the app signs in with its identity"
    return Finding(file.path, line(resource.node), Rule.LOCAL_AUTH, remedy)


def _publishing(file: BicepFile) -> Iterator[Finding]:
    closed = {
        text(name).strip("'")
        for one in file.resources.values()
        if one.full_type == _PUBLISHING and _is(file, one, ("properties", "allow"), "false")
        if (name := at_path(one.body, "name")) is not None
    }
    for one in file.resources.values():
        if one.full_type == _SITE and not one.is_existing:
            for kind in sorted({"ftp", "scm"} - closed):
                remedy = f"{one.name}: add {_PUBLISHING} '{kind}' with allow: false"
                yield Finding(file.path, line(one.node), Rule.LOCAL_AUTH, remedy)
