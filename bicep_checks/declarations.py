"""Says what a Bicep file declares: parameters, variables, resources, modules, outputs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tree_sitter import Node

from bicep_checks.nodes import arguments as arguments_of
from bicep_checks.nodes import call_name, literal, named_after, parse, text, walk


@dataclass(frozen=True, slots=True)
class Declaration:
    """One declaration of a file.

    Parameters
    ----------
    name : str
        Its symbol.
    node : Node
        The whole declaration.
    value : Node or None
        What stands after `=`; for a resource or a module its object, without condition or loop.
    decorators : mapping of str to Node
        Each decorator's call by its name.
    """

    name: str
    node: Node
    value: Node | None
    decorators: Mapping[str, Node]

    @property
    def type(self) -> str:
        """The declared type, as it is written."""
        found = next((one for one in self.node.named_children if one.type == "type"), None)
        return "" if found is None else text(found)

    @property
    def description(self) -> str:
        """What `@description` says."""
        call = self.decorators.get("description")
        return (literal(arguments_of(call)[0]) or "") if call and arguments_of(call) else ""

    @property
    def is_secure(self) -> bool:
        """Whether the value is kept out of logs."""
        return "secure" in self.decorators


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource, or a reference to an existing one."""

    name: str
    node: Node
    body: Node
    full_type: str
    version: str
    is_existing: bool


@dataclass(frozen=True, slots=True)
class ModuleCall:
    """A use of another file."""

    name: str
    node: Node
    body: Node
    path: str


@dataclass(frozen=True, slots=True)
class BicepFile:
    """One parsed file.

    Parameters
    ----------
    path : str
        Relative to the project's folder, with forward slashes.
    """

    path: str
    root: Node
    target_scope: str
    parameters: Mapping[str, Declaration]
    variables: Mapping[str, Declaration]
    outputs: Mapping[str, Declaration]
    resources: Mapping[str, Resource]
    modules: Mapping[str, ModuleCall]


def read_file(path: str, source: bytes) -> BicepFile:
    """Parse one file and list what it declares."""
    root = parse(source)
    return BicepFile(
        path,
        root,
        _target_scope(root),
        _declared(root, "parameter_declaration"),
        _declared(root, "variable_declaration"),
        _declared(root, "output_declaration"),
        {one.name: one for one in _resources(root, "")},
        {one.name: one for one in _modules(root)},
    )


def _target_scope(root: Node) -> str:
    for one in root.named_children:
        if one.type == "target_scope_assignment":
            return literal(one.named_children[-1]) or ""
    return "resourceGroup"


def _declared(root: Node, kind: str) -> Mapping[str, Declaration]:
    found = {}
    decorators: dict[str, Node] = {}
    for one in root.named_children:
        if one.type == "decorators":
            decorators = {call_name(call): call for call in _calls(one)}
        elif one.type != "comment":
            if one.type == kind:
                name = _symbol(one)
                found[name] = Declaration(name, one, named_after(one, "="), decorators)
            decorators = {}
    return found


def _calls(decorators: Node) -> Iterator[Node]:
    for one in decorators.named_children:
        yield from (part for part in one.named_children if part.type == "call_expression")


def _symbol(node: Node) -> str:
    found = (
        one for one in node.named_children if one.type in {"identifier", "compatible_identifier"}
    )
    return next((text(one) for one in found), "")


def _body(node: Node | None) -> Node | None:
    """Go through condition and loop to the object."""
    while node is not None and node.type in {"if_statement", "for_statement"}:
        node = node.named_children[-1] if node.named_children else None
    return node if node is not None and node.type == "object" else None


def _type_string(node: Node) -> str:
    found = (literal(one) for one in node.named_children if one.type == "string")
    return next((one for one in found if one), "")


def _resources(node: Node, parent: str) -> Iterator[Resource]:
    for one in node.named_children:
        if one.type != "resource_declaration":
            continue
        body = _body(named_after(one, "="))
        if body is None:
            continue  # the syntax check tells
        kind, _, version = _type_string(one).partition("@")
        full_type = f"{parent}/{kind}" if parent else kind
        existing = any(part.type == "existing" for part in one.children)
        yield Resource(_symbol(one), one, body, full_type, version, existing)
        for inner in body.named_children:
            yield from _resources(inner, full_type)


def _modules(root: Node) -> Iterator[ModuleCall]:
    for one in walk(root):
        if one.type == "module_declaration":
            body = _body(named_after(one, "="))
            if body is not None:
                yield ModuleCall(_symbol(one), one, body, _type_string(one))
