"""Files that are read as recordings."""

from collections.abc import Callable
from pathlib import Path

NOON_NS = 1_714_564_800_000_000_000  # 2024-05-01T12:00:00Z
SECOND_NS = 1_000_000_000
Write = Callable[..., Path]
