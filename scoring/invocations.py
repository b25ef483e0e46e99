"""What is told of one call of a function, and which calls are told of."""

import random
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

Attribute = str | int | float | tuple[str, ...]
# W3C: version, trace id, parent id, flags.
_TRACE_PARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}.*")
_LOW_64_BITS = (1 << 64) - 1
# Of one process: a fleet that fails all at once, or a flood of requests, says no more by saying
# it more often.
MOST_A_MINUTE = 120


@dataclass(slots=True)
class Invocation:
    """One call of a function.

    Parameters
    ----------
    function : str
    trace_parent : str
        As the host gives it, W3C; empty where it gives none.
    started_ns, ended_ns : int
        Since 1970, UTC.
    attributes : dict
        What is known of it; filled in while it runs.
    error, message : str
        Class and text of what it raised; empty where it ended well. Not the error itself, which
        would keep the whole batch alive.
    """

    function: str
    trace_parent: str = ""
    started_ns: int = field(default_factory=time.time_ns)
    ended_ns: int = 0
    attributes: dict[str, Attribute] = field(default_factory=dict)
    error: str = ""
    message: str = ""


class Choice:
    """Chooses the invocations that are traced; safe to use from any thread.

    Every one that failed, and a share of the others: by their trace id where they have one, so
    that all parts of a trace are chosen alike. Never more than `MOST_A_MINUTE`.

    Parameters
    ----------
    share : float
        In [0, 1].
    clock : callable
        Monotonic seconds.
    """

    def __init__(self, share: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._bound = round(share * (_LOW_64_BITS + 1))
        self._clock = clock
        self._lock = threading.Lock()
        self._minute_began = clock()
        self._n_chosen = 0

    def takes(self, invocation: Invocation) -> bool:
        """Tell whether to trace an invocation that has ended."""
        if not invocation.error and _low_bits(invocation.trace_parent) >= self._bound:
            return False
        with self._lock:
            now = self._clock()
            if now - self._minute_began >= 60.0:  # noqa: PLR2004  # a minute
                self._minute_began, self._n_chosen = now, 0
            self._n_chosen += 1
            return self._n_chosen <= MOST_A_MINUTE


def _low_bits(trace_parent: str) -> int:
    found = _TRACE_PARENT.fullmatch(trace_parent)
    return int(found[1], 16) & _LOW_64_BITS if found else random.getrandbits(64)
