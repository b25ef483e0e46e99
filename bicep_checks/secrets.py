"""Finds keys, passwords and tokens where identities are to be used."""

import re
from collections.abc import Iterator

from tree_sitter import Node

from bicep_checks.declarations import BicepFile
from bicep_checks.deployment import Deployment
from bicep_checks.findings import Finding, Rule
from bicep_checks.identifiers import used_names
from bicep_checks.nodes import call_name, chain, line, literal, literals, text, walk
from bicep_checks.references import is_inner

_KEY_MEMBER = re.compile(
    r"(primary|secondary)\w*key|\w*connectionstring|masterkey|accountkey|sharedkey|key[12]",
    re.IGNORECASE,
)
_KEY_TEXT = re.compile(
    r"(AccountKey|SharedAccessKey|SharedAccessSignature|Password)\s*=", re.IGNORECASE
)
_SECRET_NAME = re.compile(
    r"\w*(token|password|secret|connectionstring|apikey|accesskey)", re.IGNORECASE
)
# An ingestion key, which opens nothing where local authentication is off: the one exception.
_INSIGHTS = "Microsoft.Insights/components"


def check_secrets(deployment: Deployment) -> Iterator[Finding]:
    """Report keys that are read, secrets that are not kept, and secrets that are given out."""
    for file in deployment.files.values():
        for node in walk(file.root):
            remedy = _key_remedy(file, node)
            if remedy:
                yield Finding(file.path, line(node), Rule.KEY_IN_USE, remedy)
        yield from _parameters(file)
        yield from _outputs(file)


def _key_remedy(file: BicepFile, node: Node) -> str | None:
    if node.type == "call_expression" and call_name(node).startswith("list"):
        return f"use an identity; {call_name(node)} reads keys"
    if node.type == "member_expression" and not is_inner(node) and _reads_key(file, node):
        return f"use an identity; {text(node)} is a key"
    if node.type == "string_content" and _KEY_TEXT.search(text(node)):
        return "use an identity; this is a key in a connection string"
    return None


def _reads_key(file: BicepFile, node: Node) -> bool:
    root, path = chain(node)
    if text(root) in file.modules:  # looked at where the output is made
        return False
    resource = file.resources.get(text(root))
    if resource is not None and resource.full_type == _INSIGHTS:
        return False
    return any(_KEY_MEMBER.fullmatch(one) for one in path)


def _parameters(file: BicepFile) -> Iterator[Finding]:
    for one in file.parameters.values():
        if one.is_secure:
            if one.value is not None and literal(one.value) != "":
                remedy = f"give the secret {one.name} no default, or ''"
                yield Finding(file.path, line(one.node), Rule.SECRET_DEFAULT, remedy)
        elif _is_secret_name(one.name) and one.type in {"string", "object"}:
            remedy = f"mark {one.name} with @secure(), or give it a name that is no secret's"
            yield Finding(file.path, line(one.node), Rule.SECRET_NOT_SECURE, remedy)


def _is_secret_name(name: str) -> bool:
    return bool(_SECRET_NAME.fullmatch(name)) and "insights" not in name.lower()


def _outputs(file: BicepFile) -> Iterator[Finding]:
    secure = {one.name for one in file.parameters.values() if one.is_secure}
    for one in file.outputs.values():
        if one.value is None:
            continue
        holds = {text(name) for name in used_names(one.value)} & secure
        if holds or any(_KEY_TEXT.search(words) for _, words in literals(one.value)):
            remedy = f"remove the output {one.name}; deployments keep outputs in plain text"
            yield Finding(file.path, line(one.node), Rule.SECRET_OUTPUT, remedy)
