"""An HTTP server on loopback that answers as a test says.

Built on http.server: pytest-httpserver serves with werkzeug, which closes a connection after one
request, and the clients under test keep theirs.
"""

import gzip
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server says to one request."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked for.

    Parameters
    ----------
    target : str
        Path and query, as they were sent.
    headers : Message
        Whatever the case of a name.
    body : bytes
        Unpacked.
    client_port : int
        One a connection.
    received_s : float
        Monotonic.
    """

    method: str
    target: str
    headers: Message
    body: bytes
    client_port: int
    received_s: float = field(default_factory=time.monotonic)

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The last value of each name."""
        return dict(parse_qsl(urlsplit(self.target).query))

    @property
    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode()


class HttpDouble:
    """Answers as `respond` says, and keeps every request.

    Where `respond` raises `ConnectionError`, the connection ends without an answer.

    Parameters
    ----------
    respond : callable
        Called in the thread of a connection.
    port : int
        0: a free one.
    context : ssl.SSLContext, optional
        With one it speaks TLS.
    """

    def __init__(
        self,
        respond: Callable[[Request], Answer],
        port: int = 0,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.requests: list[Request] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(respond, self.requests))
        self._server.daemon_threads = True
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = int(self._server.server_address[1])
        self.url = f"{'http' if context is None else 'https'}://127.0.0.1:{self.port}"

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Serve for the length of a with block."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()


def answering(*answers: Answer) -> HttpDouble:
    """Give each request the next answer; the last one stays."""
    left = list(answers)
    return HttpDouble(lambda _: left.pop(0) if len(left) > 1 else left[0])


def _handler(
    respond: Callable[[Request], Answer], requests: list[Request]
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else each answer with a body waits 40 ms for the client

        def handle_any(self) -> None:
            request = _read(self)
            requests.append(request)
            try:
                _send(self, respond(request))
            except ConnectionError:  # a client that gave up, or no answer at all
                self.close_connection = True

        do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815  # names of the base class

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler


def _read(handler: BaseHTTPRequestHandler) -> Request:
    body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
    if handler.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    port = handler.client_address[1]
    return Request(handler.command, handler.path, handler.headers, body, port)


def _send(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    handler.send_response(answer.status)
    for name, value in answer.headers.items():
        if name.lower() not in {"content-length", "connection", "transfer-encoding", "date"}:
            handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(answer.body)))
    handler.end_headers()
    handler.wfile.write(answer.body)
