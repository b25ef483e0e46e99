"""Keeps what is measured on one core, and what serves it on another."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


def pin_to_core(core: int) -> None:
    """Keep this process, with all that it starts, on one core, where the system can do that."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


def cores() -> list[int]:
    """List the cores that this process may use; a guess where the system does not tell."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


@contextmanager
def on_one_core(core: int) -> Iterator[None]:
    """Work on one core, and in one thread where a library would take several."""
    before = cores()
    pin_to_core(core)
    try:
        with threadpool_limits(1):
            yield
    finally:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, before)
