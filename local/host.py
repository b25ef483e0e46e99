"""Runs the functions of one app: feeds, timers and the HTTP server."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from local.file_lock import FileLock
from local.functions import FoundFunctions
from local.host_json import HostJson
from local.http_functions import HttpFunctions
from local.http_message import Answer, Request, error_answer
from local.ingest import Ingest
from local.invocation import Invoker
from local.log import DEFAULT_PARTITIONS, EventLog, log_path
from local.routes import Router
from local.server import LoopbackServer
from local.timers import TimerRunner
from local.trigger import PartitionFeed
from scoring.errors import ScoringError

TRIM_INTERVAL_S = 60.0  # old events go in small steps; an hour's worth needs no hurry
_logger = logging.getLogger("local")


class LogInUseError(ScoringError):
    """Another process feeds functions from the same log."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"another `python -m local` reads {path}; stop it, or set DATA_DIR to another folder"
        )


class LogLockError(ScoringError):
    """The lock of a log cannot be taken, although nobody may hold it."""

    def __init__(self, path: Path, found: str) -> None:
        super().__init__(
            f"{path} cannot be locked: {found}; check the rights and the disk, or set DATA_DIR"
            " to another folder"
        )


class LocalHost:
    """One app on this machine, from `start` to `stop`.

    Parameters
    ----------
    found : FoundFunctions
        What to run.
    host_json : HostJson
        The app's host.json.
    data_dir : Path
        Where the logs are.
    server : LoopbackServer
        Bound already, so that a taken port is known before anything else happens.
    partitions : int
        Of logs that are made now.

    Raises
    ------
    LogInUseError
        If another process feeds from one of the logs.
    LogLockError
        If that cannot be told.
    SettingsError
        If a schedule, route or hub name cannot be read.
    """

    def __init__(
        self,
        found: FoundFunctions,
        host_json: HostJson,
        data_dir: Path,
        server: LoopbackServer,
        partitions: int = DEFAULT_PARTITIONS,
    ) -> None:
        self._invoker = Invoker()
        self._server = server
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        extensions = host_json.extensions
        self.router = Router(found.http, extensions.http.route_prefix)
        self._timers = [TimerRunner(function, self._invoker) for function in found.timers]
        read_hubs = dict.fromkeys(function.hub for function in found.event_hub)
        self._locks = [_lock(log_path(data_dir, hub)) for hub in read_hubs]
        self.logs = {hub: EventLog(log_path(data_dir, hub), partitions) for hub in found.hubs}
        self._feeds = [
            PartitionFeed(
                function,
                self.logs[function.hub],
                partition,
                self._invoker,
                max_batch_size=extensions.event_hubs.max_event_batch_size,
                from_end=extensions.event_hubs.initial_offset_options.type == "fromEnd",
                stopping=self._stopping,
            )
            for function in found.event_hub
            for partition in range(self.logs[function.hub].partitions)
        ]

    def start(self) -> None:
        """Begin to deliver events, run timers and answer requests."""
        answers = (HttpFunctions(self.router, self._invoker).answer, Ingest(self.logs).answer)
        self._server.answer = _first_of(answers)
        for feed in self._feeds:
            self._start(feed.run, f"{feed.function.target.name}-{feed.partition}")
        for timer in self._timers:
            self._start(partial(timer.run, self._stopping), timer.name)
        self._start(self._trim, "trim")
        self._server.start()

    def stop(self, timeout_s: float) -> bool:
        """Stop taking work and wait for what is in progress; tell whether all of it ended."""
        deadline = time.monotonic() + timeout_s
        self._stopping.set()
        self._server.stop(timeout_s)
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        running = [thread.name for thread in self._threads if thread.is_alive()]
        if running:
            _logger.warning("still running, so to be delivered again: %s", ", ".join(running))
            return False
        for log in self.logs.values():
            log.close()
        for lock in self._locks:
            lock.close()
        self._invoker.close()
        return True

    def _start(self, run: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _trim(self) -> None:
        while not self._stopping.wait(TRIM_INTERVAL_S):
            for log in self.logs.values():
                try:
                    while log.trim() and not self._stopping.is_set():
                        pass
                except sqlite3.Error:
                    _logger.exception("%s cannot be trimmed; trying again later", log.path)


def _lock(path: Path) -> FileLock:
    lock = path.with_suffix(".lock")
    try:
        return FileLock(lock, wait=False)
    except BlockingIOError as error:
        raise LogInUseError(path) from error
    except OSError as error:
        raise LogLockError(lock, error.strerror or str(error)) from error


def _first_of(
    answers: tuple[Callable[[Request], Answer | None], ...],
) -> Callable[[Request], Answer]:
    def answer(request: Request) -> Answer:
        for found in (one(request) for one in answers):
            if found is not None:
                return found
        return error_answer(
            404, "not_found", f"no function answers {request.method} {request.path}"
        )

    return answer
