"""Runs a surface on one input after another, and keeps the inputs that break a promise."""

import hashlib
import resource
import sys
import traceback
from pathlib import Path

from fuzz.findings import Surface

# Of the whole process, libraries and models in it (200 MB) included: an input of 100 kB has no
# right to more, and a small instance of Azure Functions has 1.5 GB.
MOST_MEMORY_MB = 1_024
# An input that takes longer holds up a partition.
MOST_SECONDS = 20
LONGEST_INPUT = 100_000
# Each kind of finding is kept once; with more kinds than that, mend some first.
_MOST_FINDINGS = 50


class Guard:
    """Takes inputs for a surface; what one raises is kept as a finding, and the next is taken."""

    def __init__(self, surface: Surface, folder: Path) -> None:
        self._surface = surface
        self._folder = folder
        self._known: set[str] = set()
        self.tokens = surface.tokens
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, data: bytes) -> None:
        """Try one input."""
        try:
            self._surface.run(data)
        except Exception as error:  # noqa: BLE001  # any at all is a finding
            self.keep(data, _kind(error), "".join(traceback.format_exception(error)))

    def keep(self, data: bytes, kind: str, text: str) -> None:
        """Keep an input, once for each kind of finding."""
        if kind in self._known or len(self._known) >= _MOST_FINDINGS:
            return
        self._known.add(kind)
        name = hashlib.sha256(kind.encode()).hexdigest()[:12]
        (self._folder / f"{name}.bin").write_bytes(data)
        (self._folder / f"{name}.txt").write_text(text, "utf-8", "backslashreplace")


def peak_memory_mb() -> int:
    """Return the most memory that this process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (2**20 if sys.platform == "darwin" else 2**10)


def _kind(error: BaseException) -> str:
    """Tell one fault from another by where it was raised, and by what message of ours."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    return f"{type(error).__name__} " + " ".join(f"{one.filename}:{one.lineno}" for one in frames)
