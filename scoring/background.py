"""Begins work that nobody waits for."""

import threading
from collections.abc import Callable


def in_background(work: Callable[[], None]) -> None:
    """Do something in a thread of its own, which keeps no process from ending.

    Raises
    ------
    RuntimeError
        If no thread is to be had.
    """
    threading.Thread(target=work, name="background", daemon=True).start()
