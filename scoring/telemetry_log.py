"""Keeps exporters that cannot send from filling the log."""

import logging
import threading
import time
from collections.abc import Callable

_log = logging.getLogger(__name__)
# Of the libraries that send. What they say goes through here, and nowhere else.
_LIBRARIES = ("opentelemetry", "azure.monitor.opentelemetry")
_TOLD_FOR_S = 3600.0


class OnceAnHour(logging.Handler):
    """Passes on each kind of warning once an hour: an exporter tries every minute.

    A kind is a logger and its text before anything is put into it; there are as many as the
    libraries have places that warn.

    Parameters
    ----------
    clock : callable
        Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(logging.WARNING)
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
        _log.warning("telemetry is not sent, scoring goes on: %s", record.getMessage())


def calm_the_libraries() -> None:
    """Let the libraries that send be heard through `OnceAnHour` alone."""
    handler = OnceAnHour()
    for name in _LIBRARIES:
        logger = logging.getLogger(name)
        if not any(isinstance(one, OnceAnHour) for one in logger.handlers):
            logger.addHandler(handler)
        logger.propagate = False
