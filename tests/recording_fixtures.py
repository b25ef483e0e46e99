"""Fixtures of files that are read as recordings.

A test module asks for them with `pytest_plugins`.
"""

from pathlib import Path

import pytest

from tests.recording_files import Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file named pump-7.csv and return its path."""

    def write_file(content: str | bytes, name: str = "pump-7.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_file
