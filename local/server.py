"""A threaded HTTP/1.1 server on a loopback address, with keep-alive."""

import ipaddress
import logging
import os
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import IO, cast

from werkzeug.serving import DechunkedInput

from local.http_message import Answer, Request, error_answer
from scoring.errors import ScoringError, SettingsError

MAX_BODY_BYTES = 100 * 2**20  # the host's own limit for a request
DISCARD_BYTES = 16 * 2**20  # read of a refused body, so that its sender sees the answer
IDLE_TIMEOUT_S = 60.0  # an idle connection costs a thread

_logger = logging.getLogger("local.http")


class PortInUseError(ScoringError):
    """Another program listens on the port."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(f"port {port} on {host} is in use; choose another with --port, or 0")


class LoopbackServer(ThreadingHTTPServer):
    """Answers requests with `answer`, each connection in a thread of its own.

    Parameters
    ----------
    host : str
        A loopback address or ``localhost``.
    port : int
        0 takes a free one; see `origin`.

    Raises
    ------
    SettingsError
        If the address can be reached from other machines.
    PortInUseError
        If the port is taken.
    """

    daemon_threads = True
    allow_reuse_address = os.name != "nt"  # on Windows it would let two programs share the port
    request_queue_size = 128

    def __init__(self, host: str, port: int) -> None:
        address = _loopback(host)
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.answer: Callable[[Request], Answer] = _not_ready
        self._busy = 0
        self._idle = threading.Condition()
        self._closing = threading.Event()
        try:
            super().__init__((address, port), _Handler)
        except OSError as error:
            raise PortInUseError(host, port) from error
        shown = f"[{address}]" if ":" in address else address
        self.origin = f"http://{shown}:{self.server_port}"

    def server_bind(self) -> None:
        """Bind without asking the name service for this machine's name, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def start(self) -> None:
        """Serve in a thread of its own."""
        serve = self.serve_forever
        arguments = {"poll_interval": 0.1}
        threading.Thread(target=serve, kwargs=arguments, name="http", daemon=True).start()

    def stop(self, timeout_s: float) -> None:
        """Accept nothing more and wait for the requests in progress."""
        self._closing.set()
        self.shutdown()
        self.server_close()
        deadline = time.monotonic() + timeout_s
        with self._idle:
            while self._busy and (left := deadline - time.monotonic()) > 0:
                self._idle.wait(left)

    def respond(self, request: Request) -> Answer:
        """Return the answer to a request, whatever happens."""
        if self._closing.is_set():
            return error_answer(503, "stopping", "the app is stopping; send the same again later")
        try:
            return self.answer(request)
        except Exception:
            _logger.exception("%s %s failed", request.method, request.path)
            return error_answer(500, "internal", "see the log of the local app")

    @contextmanager
    def exchange(self) -> Iterator[None]:
        """Count a request as in progress until its answer has been sent."""
        with self._idle:
            self._busy += 1
        try:
            yield
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    @property
    def is_closing(self) -> bool:
        """Whether connections should be ended."""
        return self._closing.is_set()


def _not_ready(_request: Request) -> Answer:
    return error_answer(503, "starting", "the app is starting; send the same again")


def _loopback(host: str) -> str:
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        address = ipaddress.ip_address("0.0.0.0")  # noqa: S104  never bound: refused below
    if not address.is_loopback:
        raise SettingsError([f"--host {host} must be a loopback address such as 127.0.0.1"])
    return str(address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave in one packet
    disable_nagle_algorithm = True
    timeout = IDLE_TIMEOUT_S

    def _exchange(self) -> None:
        with cast("LoopbackServer", self.server).exchange():
            self._answer()

    def _answer(self) -> None:
        server = cast("LoopbackServer", self.server)
        body = self._body()
        if isinstance(body, Answer):
            self.close_connection = True
            self._send(body)
            return
        path, _, query = self.path.partition("?")
        headers: dict[str, str] = {}
        for name, value in self.headers.items():
            headers[name] = f"{headers[name]},{value}" if name in headers else value
        request = Request(self.command, server.origin, path, query, headers, body)
        self._send(server.respond(request))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _exchange  # noqa: N815  http.server asks for these names

    def _body(self) -> bytes | Answer:
        """Return the request's body, or the answer that refuses it."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            stream = cast("IO[bytes]", DechunkedInput(cast("IO[bytes]", self.rfile)))
            body = stream.read(MAX_BODY_BYTES + 1)
            return body if len(body) <= MAX_BODY_BYTES else _too_large()
        text = self.headers.get("Content-Length", "0")
        if not (text.isascii() and text.isdigit()):
            return error_answer(400, "bad_length", "Content-Length must be a number")
        length = int(text)
        if length > MAX_BODY_BYTES:
            self.rfile.read(min(length, DISCARD_BYTES))
            return _too_large()
        return self.rfile.read(length)

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        if answer.status not in {204, 304}:
            self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection or cast("LoopbackServer", self.server).is_closing:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD" and answer.status not in {204, 304}:
            self.wfile.write(answer.body)
        self.wfile.flush()

    def version_string(self) -> str:
        return "anomaly-scorer-local"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's name
        _logger.debug(format, *args)


def _too_large() -> Answer:
    message = f"the body is larger than {MAX_BODY_BYTES} bytes; send less at once"
    return error_answer(413, "too_large", message)
