"""What counts as a finding, and how its input is kept."""

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

# Of an input in a report; the whole of it lies in the file.
_MOST_SHOWN = 600


class FindingError(AssertionError):
    """A promise that an input breaks."""


def expect(kept: object, broken: str) -> None:
    """Raise `FindingError` where a promise is not kept."""
    if not kept:
        raise FindingError(broken)


class Surface(Protocol):
    """One place where bytes come in, and what must hold for any of them."""

    tokens: tuple[bytes, ...]

    def seeds(self) -> list[bytes]:
        """Make inputs that are taken, for mutation to begin with."""

    def run(self, data: bytes) -> None:
        """Take one input; whatever it raises is a finding."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An input that broke a promise, in a file of its own."""

    path: Path

    def text(self) -> str:
        """Write where the input lies, and the input itself as base64."""
        encoded = base64.b64encode(self.path.read_bytes()).decode()
        shown = encoded if len(encoded) <= _MOST_SHOWN else f"{encoded[:_MOST_SHOWN]}..."
        return f"{self.path}: base64 {shown}"
