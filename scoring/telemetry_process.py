"""Watches the invocations of this process, and starts telemetry after the first of them."""

import atexit
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from scoring.invocations import Attribute, Choice, Invocation
from scoring.settings import TelemetrySettings
from scoring.telemetry_values import Sources

if TYPE_CHECKING:
    import azure.functions as func

_log = logging.getLogger(__name__)
# Until telemetry has started, which takes a second.
_MOST_WAITING = 64
_LONGEST_MESSAGE = 500


class Sender(Protocol):
    """What sends; see `scoring.telemetry_export`."""

    def trace(self, invocation: Invocation) -> None:
        """Send a span of it."""

    def stop(self) -> None:
        """Send what is left."""


def _start_thread(work: Callable[[], None]) -> None:
    # waited for at the end of the process: one that is killed while it imports keeps the lock of
    # all imports, and the end then waits for that for ever
    threading.Thread(target=work, name="telemetry-start", daemon=False).start()


class Telemetry:
    """Telemetry of one process; safe to use from any thread.

    Guarantee: nothing of it delays or fails an invocation. The libraries are imported beside the
    work, once the first invocation is over; where nothing is set, never. What cannot be sent is
    lost, and said once an hour.

    Parameters
    ----------
    settings : TelemetrySettings
    instance : str
        Name of this process.
    sources : Sources
        Where the values of metrics stand.
    background : callable
        Runs the start beside the work; a thread by default.
    """

    def __init__(
        self,
        settings: TelemetrySettings,
        instance: str,
        sources: Sources,
        background: Callable[[Callable[[], None]], None] = _start_thread,
    ) -> None:
        self._settings = settings
        self._instance = instance
        self._sources = sources
        self._background = background
        self._choice = Choice(settings.traced_share)
        self._lock = threading.Lock()
        self._is_started = False
        self._sender: Sender | None = None
        self._waiting: deque[Invocation] = deque(maxlen=_MOST_WAITING)

    @property
    def is_on(self) -> bool:
        """Whether anything leaves the process."""
        return self._settings.is_on

    @contextmanager
    def invocation(
        self, function: str, context: "func.Context | None"
    ) -> Iterator[dict[str, Attribute]]:
        """Watch one call of a function; gives a dict for what becomes known of it."""
        trace_parent = "" if context is None else context.trace_context.trace_parent or ""
        invocation = Invocation(function, trace_parent)
        if context is not None:
            invocation.attributes["faas.invocation_id"] = context.invocation_id
        try:
            yield invocation.attributes
        except BaseException as error:
            invocation.error = type(error).__name__
            invocation.message = str(error)[:_LONGEST_MESSAGE]
            raise
        finally:
            if self._settings.is_on:
                self._ended(invocation)

    def _ended(self, invocation: Invocation) -> None:
        try:
            invocation.ended_ns = time.time_ns()
            if self._choice.takes(invocation):
                self._trace(invocation)
            self._start()
        except Exception as error:  # noqa: BLE001  # the work is done, whatever becomes of this
            _log.warning("telemetry failed: %r", error)

    def _trace(self, invocation: Invocation) -> None:
        with self._lock:
            sender = self._sender
            if sender is None:
                self._waiting.append(invocation)
        if sender is not None:
            sender.trace(invocation)

    def _start(self) -> None:
        with self._lock:
            if self._is_started:
                return
            self._is_started = True
        self._background(self._begin)

    def _begin(self) -> None:
        try:
            from scoring.telemetry_export import Exports  # noqa: PLC0415  # not before it is used

            sender = Exports(self._settings, self._instance, self._sources)
            atexit.register(sender.stop)
            with self._lock:
                self._sender = sender
                waiting = list(self._waiting)
                self._waiting.clear()
            for invocation in waiting:
                sender.trace(invocation)
        except Exception as error:  # noqa: BLE001  # such as a library that is missing
            _log.error("telemetry cannot be sent; scoring goes on", exc_info=error)

    def stop(self) -> None:
        """Send what is left, and end."""
        with self._lock:
            sender, self._sender = self._sender, None
        if sender is not None:
            atexit.unregister(sender.stop)
            sender.stop()
