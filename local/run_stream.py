"""Sends the readings of a run to the app, and waits until they are scored."""

import threading
import time
from collections.abc import Callable
from contextlib import closing

from local.app_process import AppProcess
from local.log import EventLog
from local.run_source import RunSource
from local.run_watch import Watch
from replay.local_hub import LocalSender
from replay.sending import SendError, send_stream

# After the last reading is sent the app needs a moment; this long without progress is a fault.
_DRAIN_PATIENCE_S = 60.0


def stream(
    source: RunSource,
    app: AppProcess,
    watch: Watch,
    *,
    hub: str,
    seconds: float | None,
    stop: threading.Event,
) -> None:
    """Send until the source's end, `seconds` or `stop`.

    Raises
    ------
    AppEndedError
        If the app ends meanwhile.
    SendError
        If it does not take readings any more.
    """

    def should_stop() -> bool:
        return stop.is_set() or app.has_ended

    sender = LocalSender(app.url, hub, sleep=stop.wait, should_stop=should_stop)
    with closing(sender):
        try:
            send_stream(
                source.messages,
                sender,
                pace=source.pace,
                seconds=seconds,
                sleep=stop.wait,
                progress=watch.sent,
                should_stop=should_stop,
            )
        except SendError:
            app.check()
            if not stop.is_set():  # ended on purpose in the middle of an attempt
                raise
    app.check()


def drain(log: EventLog, group: str, app: AppProcess, look: Callable[[], None]) -> None:
    """Wait until everything sent is scored, for as long as it goes forward.

    Raises
    ------
    AppEndedError
        If the app ends before that.
    """
    left = log.backlog(group)
    moved = time.monotonic()
    while left and time.monotonic() - moved < _DRAIN_PATIENCE_S:
        app.check()
        time.sleep(0.1)
        look()
        before, left = left, log.backlog(group)
        if left < before:
            moved = time.monotonic()
