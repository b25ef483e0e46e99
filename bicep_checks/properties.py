"""Holds every resource's properties against the schema of its type."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tree_sitter import Node

from bicep_checks.declarations import BicepFile, Resource
from bicep_checks.deployment import Deployment
from bicep_checks.findings import Finding, Rule
from bicep_checks.nodes import at_path, line, literal, member, members, text
from bicep_checks.own_schemas import OWN_SCHEMAS
from bicep_checks.schema_types import (
    ObjectType,
    ResourceSchema,
    choices,
    is_primitive,
    item_type,
)
from bicep_checks.schemas import SchemaCache
from bicep_checks.unchecked import EXTRA_PROPERTIES, OWN_PROPERTIES
from bicep_checks.values import items, possible_values

_LITERALS = {
    "string": "string",
    "number": "int",
    "boolean": "bool",
    "object": "object",
    "array": "array",
    "for_statement": "array",
}


def resource_schemas(
    deployment: Deployment, cache: SchemaCache
) -> Mapping[str, ResourceSchema | None]:
    """Return the schema of every type that the deployment uses."""
    kinds = {one.full_type for file in deployment.files.values() for one in file.resources.values()}
    return {**cache.read(kinds - OWN_SCHEMAS.keys()), **OWN_SCHEMAS}


def check_properties(
    deployment: Deployment, schemas: Mapping[str, ResourceSchema | None]
) -> Iterator[Finding]:
    """Report types, versions, properties and values that Azure would not take."""
    for file in deployment.files.values():
        for resource in file.resources.values():
            schema = schemas.get(resource.full_type)
            yield from _version_findings(file, resource, schema)
            if schema is not None:
                yield from _Check(file, resource, schema).findings()


def _version_findings(
    file: BicepFile, resource: Resource, schema: ResourceSchema | None
) -> Iterator[Finding]:
    where = line(resource.node)
    if schema is None:
        remedy = f"correct the type {resource.full_type}; no schema knows it"
        yield Finding(file.path, where, Rule.UNKNOWN_TYPE, remedy)
    elif (resource.version or schema.version) != schema.version:
        remedy = f"use {resource.full_type}@{schema.version}, whose schema is held"
        yield Finding(file.path, where, Rule.API_VERSION, remedy)


@dataclass(frozen=True, slots=True)
class _Check:
    """One resource and its schema."""

    file: BicepFile
    resource: Resource
    schema: ResourceSchema

    def findings(self) -> Iterator[Finding]:
        body = self.resource.body
        if self.resource.is_existing:
            for name, value in members(body).items():
                if name not in {"name", *OWN_PROPERTIES}:
                    yield self._finding(value, Rule.READ_ONLY_PROPERTY, f"remove {name}: existing")
            return
        yield from self._object(body, self.schema.body, "", is_part=False)
        scopes = self.schema.scopes
        apart = self.file.target_scope not in scopes and at_path(body, "scope") is None
        if scopes and apart and at_path(body, "parent") is None:
            remedy = f"put it into a file for a {' or '.join(sorted(scopes))}"
            yield self._finding(self.resource.node, Rule.MODULE_SCOPE, remedy)

    def _finding(self, node: Node, rule: Rule, remedy: str) -> Finding:
        return Finding(self.file.path, line(node), rule, f"{self.resource.name}: {remedy}")

    def _object(
        self, node: Node, declared: ObjectType, path: str, *, is_part: bool
    ) -> Iterator[Finding]:
        if declared.discriminator is not None:
            kind = literal(members(node).get(declared.discriminator))
            if kind is not None and kind not in declared.values():
                remedy = f"set {declared.discriminator} to one of {', '.join(declared.values())}"
                yield self._finding(node, Rule.WRONG_VALUE, remedy)
                return
            declared = declared.variant(kind)
        for part in node.named_children:
            found = member(part) if part.type == "object_property" else None
            if found is not None:
                yield from self._member(part, found, declared, path)
        if not is_part:
            yield from self._missing(node, declared, path)

    def _missing(self, node: Node, declared: ObjectType, path: str) -> Iterator[Finding]:
        required = {name for name, one in declared.properties.items() if one.is_required}
        for name in sorted(required - members(node).keys()):
            yield self._finding(node, Rule.MISSING_PROPERTY, f"set {path}{name}")

    def _member(
        self, part: Node, found: tuple[str, Node], declared: ObjectType, path: str
    ) -> Iterator[Finding]:
        name, value = found
        known = declared.properties.get(name)
        if known is not None and known.is_read_only:
            remedy = f"remove {path}{name}; Azure sets it"
            yield self._finding(part, Rule.READ_ONLY_PROPERTY, remedy)
        elif known is not None:
            yield from self._value(value, known.type, f"{path}{name}")
        elif declared.additional is not None:
            yield from self._value(value, declared.additional, f"{path}{name}")
        elif not self._is_extra(name, path):
            near = ", ".join(sorted(declared.properties))
            remedy = f"correct {path}{name}; known are {near}"
            yield self._finding(part, Rule.UNKNOWN_PROPERTY, remedy)

    def _is_extra(self, name: str, path: str) -> bool:
        if not path and name in OWN_PROPERTIES:
            return True
        return (self.resource.full_type, f"{path}{name}") in EXTRA_PROPERTIES

    def _value(self, node: Node, kind: str, path: str) -> Iterator[Finding]:
        for value in possible_values(self.file, node):
            inner = self.schema.object_type(kind)
            if inner is not None and value.node.type == "object":
                yield from self._object(value.node, inner, f"{path}.", is_part=value.is_part)
            elif item_type(kind) is not None and _LITERALS.get(value.node.type) == "array":
                for one in items(value.node):
                    yield from self._value(one, item_type(kind) or "", f"{path}[]")
            else:
                yield from self._literal(value.node, kind, path)

    def _literal(self, node: Node, kind: str, path: str) -> Iterator[Finding]:
        given = _LITERALS.get(node.type)
        if given is None or kind == "any":
            return
        if given != self._expected(kind):
            yield self._finding(node, Rule.WRONG_VALUE, f"give {path} a value of type {kind}")
        allowed = choices(kind) if self._expected(kind) == "string" else ()
        value = literal(node)
        if value is not None and allowed and value not in allowed:
            remedy = f"set {path} to one of {', '.join(allowed)} instead of {text(node)}"
            yield self._finding(node, Rule.WRONG_VALUE, remedy)

    def _expected(self, kind: str) -> str:
        if self.schema.object_type(kind) is not None:
            return "object"
        if item_type(kind) is not None:
            return "array"
        return kind if is_primitive(kind) else "string"
