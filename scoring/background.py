"""Begins work that nobody waits for."""

import threading
from collections.abc import Callable


def in_background(work: Callable[[], None]) -> None:
    """Do something beside the batch; it ends with the process.

    Raises
    ------
    RuntimeError
        If no thread is to be had.
    """
    threading.Thread(target=work, name="beside-a-batch", daemon=True).start()
