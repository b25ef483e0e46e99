"""Route templates of HTTP triggers: which function answers a path, with what parameters."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from local.functions import HttpFunction
from scoring.errors import SettingsError

_PARAMETER = re.compile(r"\{(\*{0,2})(\w+)((?::[^{}:?=]+)*)(\?|=[^{}]*)?\}")
_ENCODED_SLASH = re.compile("%2f", re.IGNORECASE)
_CONSTRAINTS = {  # what ASP.NET's constraints of these names accept
    "int": r"-?\d+",
    "long": r"-?\d+",
    "bool": "true|false",
    "alpha": "[a-z]+",
    "decimal": r"-?\d+(?:\.\d+)?",
    "double": r"-?\d+(?:\.\d+)?",
    "float": r"-?\d+(?:\.\d+)?",
    "guid": r"[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}",
}


@dataclass(frozen=True, slots=True)
class Route:
    """One function's template, compiled.

    Parameters
    ----------
    rank : tuple of int
        One number a segment; the lowest route that fits answers: a literal beats a
        parameter, a parameter a catch-all.
    defaults : dict
        What absent parameters are; optional ones without a default stay absent.
    """

    function: HttpFunction
    template: str
    pattern: re.Pattern[str]
    names: tuple[str, ...]
    defaults: dict[str, str]
    rank: tuple[int, ...]

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """Return the route's parameters if it answers, else None."""
        if self.function.methods is not None and method not in self.function.methods:
            return None
        found = self.pattern.fullmatch(path)
        if found is None:
            return None
        values = zip(self.names, found.groups(), strict=True)
        return self.defaults | {name: value for name, value in values if value is not None}


class Router:
    """Finds the function for a request.

    Parameters
    ----------
    functions : sequence of HttpFunction
        Those to choose from.
    prefix : str
        ``routePrefix`` of host.json; may be empty.
    """

    def __init__(self, functions: Sequence[HttpFunction], prefix: str) -> None:
        routes = [compile_route(function, prefix) for function in functions]
        self.routes = tuple(sorted(routes, key=lambda route: route.rank))

    def find(self, method: str, path: str) -> tuple[HttpFunction, dict[str, str]] | None:
        """Return the function and its route parameters for a still percent-encoded path."""
        decoded = decode_path(path).strip("/")
        for route in self.routes:
            parameters = route.match(method, decoded)
            if parameters is not None:
                return route.function, parameters
        return None


def decode_path(path: str) -> str:
    """Undo percent-encoding but for ``%2F``, which stays part of its segment as on Azure."""
    return "%2F".join(map(unquote, _ENCODED_SLASH.split(path)))


def compile_route(function: HttpFunction, prefix: str) -> Route:
    """Turn a template such as ``sensors/{id:int}/scores`` into a route.

    Raises
    ------
    SettingsError
        If a constraint is not known here.
    """
    template = "/".join(part for part in (prefix.strip("/"), function.route.strip("/")) if part)
    names: list[str] = []
    defaults: dict[str, str] = {}
    patterns: list[str] = []
    rank: list[int] = []
    for segment in template.split("/") if template else []:
        used_by = f"{function.target.name}, route {function.route}"
        pattern = _segment_pattern(segment, names, defaults, used_by)
        optional = "?}" in segment or "=" in segment or "{*" in segment
        slash = "/" if patterns else ""
        patterns.append(f"(?:{slash}{pattern})?" if optional else slash + pattern)
        rank.append(_segment_rank(segment))
    compiled = re.compile("".join(patterns), re.IGNORECASE)
    return Route(function, "/" + template, compiled, tuple(names), defaults, tuple(rank))


def _segment_pattern(segment: str, names: list[str], defaults: dict[str, str], used_by: str) -> str:
    pieces, end = [], 0
    for found in _PARAMETER.finditer(segment):
        stars, name, constraints, suffix = found.groups()
        names.append(name)
        if suffix and suffix.startswith("="):
            defaults[name] = suffix[1:]
        value = ".*" if stars else _value_pattern(constraints, used_by)
        pieces += [re.escape(segment[end : found.start()]), f"({value})"]
        end = found.end()
    rest = segment[end:]
    if "{" in rest or "}" in rest:
        raise SettingsError([f"{used_by}: the segment {segment} cannot be read"])
    return "".join([*pieces, re.escape(rest)])


def _value_pattern(constraints: str, used_by: str) -> str:
    patterns = []
    for name in filter(None, constraints.split(":")):
        if name not in _CONSTRAINTS:
            known = ", ".join(_CONSTRAINTS)
            raise SettingsError([f"{used_by}: the constraint {name} is none of {known}"])
        patterns.append(f"(?=(?:{_CONSTRAINTS[name]})(?:/|$))")
    return "".join(patterns) + "[^/]+"


def _segment_rank(segment: str) -> int:
    if "{" not in segment:
        return 0
    if "{*" in segment:
        return 3
    return 1 if ":" in segment else 2
