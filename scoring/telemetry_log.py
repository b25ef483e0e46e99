"""Keeps exporters that cannot send from filling the log."""

import logging
import threading
import time
from collections.abc import Callable

_log = logging.getLogger(__name__)
_NOT_SENT = "telemetry is not sent, scoring goes on"
# What these libraries say goes through here, and nowhere else. Who asks for a token besides, such
# as a store, says by itself what it could not do.
_LIBRARIES = {
    "opentelemetry": _NOT_SENT,
    "azure.monitor.opentelemetry": _NOT_SENT,
    "azure.identity": "no token for this app's identity",
}
_TOLD_FOR_S = 3600.0


class OnceAnHour(logging.Handler):
    """Passes on each kind of warning once an hour: an exporter tries every minute.

    A kind is a logger and its text before anything is put into it; there are as many as the
    libraries have places that warn.

    Parameters
    ----------
    meaning : str
        What such a warning means, said before it.
    clock : callable
        Monotonic seconds.
    """

    def __init__(
        self, meaning: str = _NOT_SENT, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(logging.WARNING)
        self._meaning = meaning
        self._clock = clock
        self._told: dict[tuple[str, str], float] = {}
        self._telling = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a record on, unless its kind was lately."""
        kind = (record.name, str(record.msg))
        with self._telling:
            now = self._clock()
            if now - self._told.get(kind, float("-inf")) < _TOLD_FOR_S:
                return
            self._told[kind] = now
        _log.warning("%s: %s", self._meaning, record.getMessage())


def calm_the_libraries() -> None:
    """Let the libraries that send, and what they sign in with, be heard through `OnceAnHour`."""
    for name, meaning in _LIBRARIES.items():
        logger = logging.getLogger(name)
        if not any(isinstance(one, OnceAnHour) for one in logger.handlers):
            logger.addHandler(OnceAnHour(meaning))
        logger.propagate = False
