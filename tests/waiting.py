"""Waiting for what another thread or process does."""

import time
from collections.abc import Callable
from typing import TypeVar

DEADLINE_S = 60.0  # generous: both cores may be busy with other tests
T = TypeVar("T")


def wait_until(condition: Callable[[], T], what: str, seconds: float = DEADLINE_S) -> T:
    """Poll until `condition` gives something true, and return that."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)
    return found
