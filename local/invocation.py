"""Calls a user's function as the Functions worker does."""

import asyncio
import inspect
import threading
import traceback
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.functions import Target


@dataclass(frozen=True, slots=True)
class RpcException:
    """The error of the attempt before."""

    source: str
    stack_trace: str
    message: str

    @classmethod
    def of(cls, error: BaseException) -> "RpcException":
        """Describe an error as the host would."""
        trace = "".join(traceback.format_exception(error))
        return cls(type(error).__name__, trace, str(error))


@dataclass(frozen=True, slots=True)
class RetryContext:
    """Where a function stands in its retry policy; a `max_retry_count` of -1 is for ever."""

    retry_count: int
    max_retry_count: int
    exception: RpcException | None = None


@dataclass(frozen=True, slots=True)
class TraceContext:
    """Whose child an invocation is: W3C, from the header of a request; else nobody's."""

    trace_parent: str = ""
    trace_state: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Context:
    """What a function gets that declares a parameter named ``context``."""

    function_name: str
    retry_context: RetryContext
    invocation_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    function_directory: str = field(default_factory=lambda: str(Path.cwd()))
    trace_context: TraceContext = TraceContext()
    thread_local_storage: threading.local = field(default_factory=threading.local)


class Invoker:
    """Calls functions from any thread; all coroutines share one event loop, as in the worker."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def invoke(
        self,
        target: Target,
        value: object,
        retry: RetryContext | None = None,
        trace: TraceContext | None = None,
    ) -> Any:
        """Call a function with its trigger's value; its result or error is the caller's."""
        arguments = {target.parameter: value}
        if target.parameter != "context" and "context" in inspect.signature(target.call).parameters:
            arguments["context"] = Context(
                target.name, retry or RetryContext(0, 0), trace_context=trace or TraceContext()
            )
        result = target.call(**arguments)
        if inspect.iscoroutine(result):
            return asyncio.run_coroutine_threadsafe(result, self._running_loop()).result()
        return result

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                arguments = (self._loop,)
                threading.Thread(
                    target=_run_loop, args=arguments, name="async-functions", daemon=True
                ).start()
            return self._loop

    def close(self) -> None:
        """Stop the event loop; calls still running in it are abandoned."""
        with self._lock:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._loop = None


def _run_loop(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.close()
