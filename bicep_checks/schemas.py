"""Keeps the schemas of resource types, taken once from the pinned package that holds them."""

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from bicep_checks.schema_server import answers
from bicep_checks.schema_types import ResourceSchema, read_schema

PACKAGE = "msmcp-azure"


class SchemaCache:
    """Resource schemas in a folder, fetched when one is first asked for.

    Processes may share the folder: a file appears whole or not at all.

    Parameters
    ----------
    folder : Path
        Where they are kept, under the package's version.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._folder = folder / f"{PACKAGE}-{distribution(PACKAGE).version}"
        self._read: dict[str, ResourceSchema | None] = {}

    def read(self, kinds: Iterable[str]) -> Mapping[str, ResourceSchema | None]:
        """Return the schema of each type; None where the package knows no such type."""
        wanted = sorted(set(kinds))
        missing = [one for one in wanted if not self._file(one).exists()]
        for kind, answer in answers(missing):
            self._keep(kind, answer)
        for one in wanted:
            if one not in self._read:
                self._read[one] = _schema(json.loads(self._file(one).read_text("utf-8")))
        return {one: self._read[one] for one in wanted}

    def _file(self, kind: str) -> Path:
        return self._folder / f"{kind.replace('/', '_')}.json"

    def _keep(self, kind: str, answer: Mapping[str, Any]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._folder)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(answer, file)
        Path(name).replace(self._file(kind))


def _schema(answer: Mapping[str, Any]) -> ResourceSchema | None:
    return read_schema(answer) if answer["status"] == 200 else None  # noqa: PLR2004  # HTTP's OK
