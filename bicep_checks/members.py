"""Holds what is read from a resource against the schema of its type."""

from collections.abc import Iterator, Mapping

from tree_sitter import Node

from bicep_checks.declarations import BicepFile
from bicep_checks.deployment import Deployment
from bicep_checks.findings import Finding, Rule
from bicep_checks.nodes import chain, line, text, walk
from bicep_checks.references import is_inner
from bicep_checks.schema_types import ObjectType, ResourceSchema, item_type


def check_members(
    deployment: Deployment, schemas: Mapping[str, ResourceSchema | None]
) -> Iterator[Finding]:
    """Report `resource.properties.x` that no resource of the type has."""
    for file in deployment.files.values():
        for node in walk(file.root):
            if node.type == "member_expression" and not is_inner(node):
                name = _unknown(file, node, schemas)
                if name:
                    remedy = f"correct {text(node)}; the resource has no {name}"
                    yield Finding(file.path, line(node), Rule.UNKNOWN_MEMBER, remedy)


def _unknown(
    file: BicepFile, node: Node, schemas: Mapping[str, ResourceSchema | None]
) -> str | None:
    root, path = chain(node)
    symbol = root.child_by_field_name("resource") if root.type == "resource_expression" else root
    resource = file.resources.get(text(symbol)) if symbol is not None else None
    schema = schemas.get(resource.full_type) if resource is not None else None
    if schema is None:
        return None
    declared: ObjectType | None = schema.body
    kind = ""
    for name in path:
        if name == "[]":
            kind = item_type(kind) or kind
            declared = schema.object_type(kind) if kind else declared
            continue
        if declared is None:
            return None
        known = declared.variant(None).properties.get(name)
        if known is None:
            return None if declared.additional is not None else name
        kind = known.type
        declared = schema.object_type(kind)
    return None
