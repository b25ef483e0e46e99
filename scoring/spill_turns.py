"""Gives each spilled batch its turn to be written back, those that were put off last."""

import threading
from collections.abc import Iterable, Iterator


class SpillTurns:
    """The order in which files have their turn; safe to use from any thread.

    Guarantee: a file that was put off is tried again only after all that were not, and after those
    that were put off before it. So however many of them fail, each has its turn, and what fails at
    each run of the timer holds up no other. A process remembers this for as long as it lives.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._put_off: dict[str, None] = {}  # in the order of their turns

    def put_off(self, path: str) -> None:
        """Let all others go first from the next time on."""
        with self._lock:
            self._put_off.pop(path, None)
            self._put_off[path] = None

    def end(self, path: str) -> None:
        """Forget that a file was put off."""
        with self._lock:
            self._put_off.pop(path, None)

    def in_turn(self, prefix: str, listed: Iterable[str]) -> Iterator[str]:
        """Yield what is listed, the paths that were put off before at the end.

        Parameters
        ----------
        prefix : str
            Of all that is listed.
        listed : iterable of str
            Read no further than the caller goes.
        """
        with self._lock:
            late = {path: None for path in self._put_off if path.startswith(prefix)}
        yield from (path for path in listed if path not in late)
        yield from late
