"""Answers requests with the app's HTTP functions."""

import logging
import time
from collections import defaultdict
from typing import Any
from urllib.parse import parse_qsl

from azure.functions import http, meta

from local.functions import HttpFunction
from local.http_message import Answer, Request
from local.invocation import Invoker, TraceContext
from local.routes import Router

_NOT_THE_APPS = {"content-length", "transfer-encoding", "connection"}  # the server sets these
_logger = logging.getLogger("local.http")


class HttpFunctions:
    """Converts a request, calls its function and converts what it returns.

    A function that raises gives status 500 without a body, and its traceback in the log.
    Auth levels are not enforced, as with ``func start``.
    """

    def __init__(self, router: Router, invoker: Invoker) -> None:
        self._router = router
        self._invoker = invoker

    def answer(self, request: Request) -> Answer | None:
        """Return the answer of the function whose route fits, None if there is none."""
        found = self._router.find(request.method, request.path)
        if found is None:
            return None
        function, parameters = found
        start = time.perf_counter()
        answer = self._call(function, request, parameters)
        milliseconds = (time.perf_counter() - start) * 1e3
        _logger.info(
            "%s %s %d in %.0f ms", request.method, request.path, answer.status, milliseconds
        )
        return answer

    def _call(self, function: HttpFunction, request: Request, parameters: dict[str, str]) -> Answer:
        try:
            given = http.HttpRequestConverter.decode(
                _datum(request, parameters), trigger_metadata={}
            )
            trace = TraceContext(request.header("traceparent") or "")
            return _to_answer(self._invoker.invoke(function.target, given, trace=trace))
        except Exception:
            _logger.exception("%s failed", function.target.name)
            return Answer(500)


def _datum(request: Request, parameters: dict[str, str]) -> meta.Datum:
    url = f"{request.origin}{request.path}" + (f"?{request.query}" if request.query else "")
    value = {
        "method": _text(request.method),
        "url": _text(url),
        "headers": {name: _text(value) for name, value in request.headers.items()},
        "query": {name: _text(value) for name, value in _query(request.query).items()},
        "params": {name: _text(value) for name, value in parameters.items()},
        "body": meta.Datum(request.body, "bytes"),
    }
    return meta.Datum(value, "http")


def _query(query: str) -> dict[str, str]:
    """Return the parameters of a query; the host joins repeated ones by commas."""
    values = defaultdict(list)
    for name, value in parse_qsl(query, keep_blank_values=True):
        values[name].append(value)
    return {name: ",".join(found) for name, found in values.items()}


def _text(value: str) -> meta.Datum:
    return meta.Datum(value, "string")


def _to_answer(returned: Any) -> Answer:
    if returned is None:
        return Answer(204)
    datum = http.HttpResponseConverter.encode(returned, expected_type=None)
    if datum.type == "string":
        return Answer(200, (("Content-Type", "text/plain; charset=utf-8"),), datum.value.encode())
    value = datum.value
    headers = [(n, d.value) for n, d in value["headers"].items() if n.lower() not in _NOT_THE_APPS]
    cookies = [morsel for jar in value["cookies"] or () for morsel in jar.values()]
    headers += [("Set-Cookie", morsel.OutputString()) for morsel in cookies]
    return Answer(int(value["status_code"].value), tuple(headers), value["body"].value)
