"""Turns Ctrl-C into a request to stop, and a second one into an end at once."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

ENDED_AT_ONCE = 130  # what a shell reports for a program that Ctrl-C ended


@contextmanager
def stop_signal(
    says: str = "stopping; Ctrl-C again ends at once",
) -> Iterator[threading.Event]:
    """Turn the first Ctrl-C or SIGTERM into an event; the second raises KeyboardInterrupt.

    Parameters
    ----------
    says : str
        Told on standard error at the first one.
    """
    stop = threading.Event()
    before = {kind: signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for kind, handler in before.items():
            signal.signal(kind, handler)

    def on_signal(_number: int, _frame: object) -> None:
        if stop.is_set():
            restore()
            raise KeyboardInterrupt
        stop.set()
        with suppress(OSError, ValueError):
            # past the buffer: it may be a print that the signal interrupts
            os.write(sys.stderr.fileno(), f"\n{says}\n".encode())

    for kind in before:
        signal.signal(kind, on_signal)
    try:
        yield stop
    finally:
        restore()
