"""Takes the terminal's Ctrl-C for this process alone."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_TERMINAL = "/dev/tty"


@contextmanager
def own_terminal() -> Iterator[None]:
    """Be the terminal's foreground for the length of a with block.

    A terminal sends Ctrl-C to every process in its foreground. make, on Ctrl-C, ends with an
    error even if what it runs ends well, so it must not see it. Ctrl-Z is ignored meanwhile:
    make would wait for ever for a process that is stopped. Nothing changes without a terminal, in
    its background, or where the output goes elsewhere: a pager there needs the terminal itself.
    """
    if sys.platform == "win32" or not sys.stdout.isatty():
        yield
        return
    try:
        terminal = os.open(_TERMINAL, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        yield
        return
    try:
        group = os.getpgrp()
        if os.tcgetpgrp(terminal) != group:
            yield
            return
        before = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
        os.setpgid(0, 0)
        _give(terminal, os.getpgrp())
        try:
            yield
        finally:
            _give(terminal, group)
            signal.signal(signal.SIGTSTP, before)
    finally:
        os.close(terminal)


def _give(terminal: int, group: int) -> None:
    """Make a group the foreground; who does that from the background is stopped if not masked."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    try:
        os.tcsetpgrp(terminal, group)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTTOU})
