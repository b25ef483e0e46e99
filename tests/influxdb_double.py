"""An HTTP server on loopback that speaks InfluxDB's write API."""

import gzip
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "secret-token"  # noqa: S105  # of our own servers


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server says to one request."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked for; the body is unpacked."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: str


class InfluxDouble:
    """Answers writes as it is told: `respond` gets each request. On a free port unless told.

    Where it raises `ConnectionError`, the connection ends without an answer.
    """

    def __init__(self, respond: Callable[[Request], Answer], port: int = 0) -> None:
        self.requests: list[Request] = []
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                request = _request(self)
                double.requests.append(request)
                try:
                    _send(self, respond(request))
                except ConnectionError:  # a client that gave up, or no answer at all
                    self.close_connection = True

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @contextmanager
    def running(self) -> Iterator["InfluxDouble"]:
        """Serve for the length of a with block."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()


def answering(*answers: Answer) -> InfluxDouble:
    """Give each request the next answer; the last one stays."""
    left = list(answers)
    return InfluxDouble(lambda _: left.pop(0) if len(left) > 1 else left[0])


def _request(handler: BaseHTTPRequestHandler) -> Request:
    raw = handler.rfile.read(int(handler.headers["Content-Length"]))
    if handler.headers.get("Content-Encoding") == "gzip":
        raw = gzip.decompress(raw)
    url = urllib.parse.urlsplit(handler.path)
    query = dict(urllib.parse.parse_qsl(url.query))
    return Request(url.path, query, dict(handler.headers), raw.decode())


def _send(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    handler.send_response(answer.status)
    for name, value in answer.headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(answer.body)))
    handler.end_headers()
    handler.wfile.write(answer.body)
