"""Describes resource types: which properties each has, and what they may hold."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_PRIMITIVES = frozenset({"string", "int", "bool", "any", "object", "null", "array"})


@dataclass(frozen=True, slots=True)
class Property:
    """One property of an object type.

    Parameters
    ----------
    type : str
        As the schema writes it: `int`, `A | B | string`, `Sku`, `Rule[]`.
    """

    name: str
    type: str
    is_read_only: bool
    is_required: bool


@dataclass(frozen=True, slots=True)
class ObjectType:
    """The properties of an object.

    Parameters
    ----------
    additional : str or None
        Type of properties that are not named; None: there are none.
    discriminator : str or None
        The property that says which of `variants` it is.
    """

    properties: Mapping[str, Property]
    additional: str | None
    discriminator: str | None
    variants: tuple["ObjectType", ...]

    def variant(self, value: str | None) -> "ObjectType":
        """Return the type for one value of the discriminator; every property if it is unknown."""
        merged = dict(self.properties)
        for one in self.variants:
            kind = one.properties[self.discriminator or ""].type if self.discriminator else ""
            if value is None or kind == value:
                merged |= one.properties
        return ObjectType(merged, self.additional, None, ())

    def values(self) -> tuple[str, ...]:
        """Return what the discriminator may be."""
        key = self.discriminator or ""
        return tuple(one.properties[key].type for one in self.variants)


@dataclass(frozen=True, slots=True)
class ResourceSchema:
    """One resource type at one API version.

    Parameters
    ----------
    scopes : frozenset of str
        Where it can be deployed: `resourceGroup`, `subscription`; empty: anywhere.
    types : mapping of str to ObjectType
        The object types that its properties name.
    """

    name: str
    version: str
    scopes: frozenset[str]
    body: ObjectType
    types: Mapping[str, ObjectType]

    def object_type(self, kind: str) -> ObjectType | None:
        """Return the object type of that name, if it is one."""
        return self.types.get(kind)


def item_type(kind: str) -> str | None:
    """Return what an array holds, or None for another type."""
    return kind[:-2] if kind.endswith("[]") else None


def choices(kind: str) -> tuple[str, ...]:
    """Return the values that a type lists, or none if it lists none."""
    parts = kind.split(" | ")
    return tuple(one for one in parts if one not in _PRIMITIVES)


def is_primitive(kind: str) -> bool:
    """Tell whether it is a type that every language has."""
    return kind in _PRIMITIVES


def read_schema(document: Mapping[str, Any]) -> ResourceSchema:
    """Read what `azmcp bicepschema get` answers."""
    entries = document["results"]["BicepSchemaResult"]
    resource = next(one for one in entries if one["$type"] == "Resource")
    name, _, version = resource["name"].partition("@")
    types = {
        one["name"]: _object_type(one)
        for one in entries
        if one["$type"] in {"Object", "DiscriminatedObject"}
    }
    scopes = frozenset(_scopes(resource["writableScopes"]))
    return ResourceSchema(name, version, scopes, _object_type(resource["bodyType"]), types)


def _scopes(text: str) -> Iterator[str]:
    for one in re.split(r"[,|]\s*", text):
        if one in {"ResourceGroup", "Subscription", "Tenant", "ManagementGroup"}:
            yield one[0].lower() + one[1:]


def _object_type(entry: Mapping[str, Any]) -> ObjectType:
    properties = entry.get("baseProperties") or entry.get("properties") or []
    variants = tuple(_object_type(one) for one in entry.get("elements", ()))
    return ObjectType(
        {one["name"]: _property(one) for one in properties},
        entry.get("additionalPropertiesType"),
        entry.get("discriminator"),
        variants,
    )


def _property(entry: Mapping[str, Any]) -> Property:
    flags = entry.get("flags") or ""
    return Property(entry["name"], entry["type"], "ReadOnly" in flags, "Required" in flags)
