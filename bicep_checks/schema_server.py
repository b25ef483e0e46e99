"""Asks the pinned package for resource types, all in one process of it."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from importlib.metadata import distribution
from typing import IO, Any

# What it says of a type that it does not know at all, or knows without its properties.
_NO_SCHEMA = ("not found", "not supported")
# One process that answers many questions: 28 types in 4 s, a process for each took 50 s.
_COMMAND = ("server", "start", "--namespace", "bicepschema", "--mode", "all")
_HELLO = {
    "protocolVersion": "2025-03-26",
    "capabilities": {},
    "clientInfo": {"name": "bicep_checks", "version": "1"},
}
_GRACE_S = 10.0  # it ends within a second of its input


class SchemaServerError(Exception):
    """The package's process gave no answer that can be read."""

    def __init__(self, kind: str, answer: str) -> None:
        super().__init__(f"{kind}: azmcp gave no schema; reinstall msmcp-azure; it said: {answer}")


def answers(kinds: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield for each type what the package says about it.

    Nothing leaves the machine: the schemas are part of the package, and its reports of use are
    switched off.

    Raises
    ------
    SchemaServerError
        If it answers something else, so that nothing wrong is kept.
    """
    if not kinds:
        return
    with subprocess.Popen(  # noqa: S603  # a pinned package's own binary
        [_binary(), *_COMMAND],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"AZURE_MCP_COLLECT_TELEMETRY": "false", "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"},
        text=True,
    ) as process:
        try:
            yield from _conversation(process, kinds)
        finally:
            _end(process)


def _binary() -> str:
    package = distribution("msmcp-azure")
    inside = (one for one in package.files or () if one.parts[:2] == ("msmcp_azure", "bin"))
    return str(next(package.locate_file(one) for one in inside if one.stem == "azmcp"))


def _conversation(
    process: subprocess.Popen[str], kinds: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    asked, answered = process.stdin, process.stdout
    if asked is None or answered is None:  # for the type checker; both are pipes
        return
    _ask(asked, "initialize", _HELLO, 0)
    answered.readline()
    _ask(asked, "notifications/initialized", {}, None)
    for number, kind in enumerate(kinds, 1):
        call = {"name": "bicepschema_get", "arguments": {"resource-type": kind}}
        _ask(asked, "tools/call", call, number)
        yield kind, read_answer(kind, answered.readline())


def _ask(asked: IO[str], method: str, params: dict[str, Any], number: int | None) -> None:
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
    if number is not None:
        message["id"] = number
    asked.write(json.dumps(message) + "\n")
    asked.flush()


def read_answer(kind: str, line: str) -> dict[str, Any]:
    """Take what the package says about a type out of one line of its output.

    Raises
    ------
    SchemaServerError
        If it is neither a schema nor the news that there is none.
    """
    try:
        found = json.loads(json.loads(line)["result"]["content"][0]["text"])
    except (ValueError, KeyError, IndexError, TypeError):
        raise SchemaServerError(kind, line[:200]) from None
    if not isinstance(found, dict) or not _is_understood(found):
        raise SchemaServerError(kind, line[:200])
    return found


def _is_understood(found: dict[str, Any]) -> bool:
    if found.get("status") == 200:  # noqa: PLR2004  # HTTP's OK
        return "BicepSchemaResult" in found.get("results", {})
    return any(words in found.get("message", "") for words in _NO_SCHEMA)


def _end(process: subprocess.Popen[str]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
