"""An HTTP request and its answer, apart from any server or framework."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came in.

    Parameters
    ----------
    method : str
        In capitals.
    origin : str
        Scheme and authority, such as ``http://127.0.0.1:7071``.
    path : str
        Still percent-encoded.
    query : str
        Without its question mark, still percent-encoded.
    headers : mapping
        Names as the sender wrote them; values of a repeated name are joined by commas.
    body : bytes
        Whole.
    """

    method: str
    origin: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return a header's value, whatever the case of its name."""
        lower = name.lower()
        return next((v for n, v in self.headers.items() if n.lower() == lower), None)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response; the server adds length and connection headers."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


def error_answer(status: int, code: str, message: str, details: Sequence[str] = ()) -> Answer:
    """Return an error in the one shape that every error of this project has."""
    error: dict[str, Any] = {"code": code, "message": message, "details": list(details)}
    body = msgspec.json.encode({"error": error})
    return Answer(status, (("Content-Type", "application/json"),), body)
