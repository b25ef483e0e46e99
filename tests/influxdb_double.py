"""An HTTP server on loopback that speaks InfluxDB's write API, and the real influxd behind it."""

import gzip
import json
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import create_server
from typing import Any

TOKEN = "secret-token"  # noqa: S105  # of the servers in this file


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
    """Answers writes as it is told: `respond` gets each request."""

    def __init__(self, respond: Callable[[Request], Answer]) -> None:
        self.requests: list[Request] = []
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                request = _request(self)
                double.requests.append(request)
                with suppress(ConnectionError):  # a client that gave up
                    _send(self, respond(request))

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
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


class RealInflux:
    """A real influxd 1.x with version 2's write API in front; one database."""

    BUCKET = "scores"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with create_server(("127.0.0.1", 0)) as api, create_server(("127.0.0.1", 0)) as rpc:
            self._port, self._rpc_port = api.getsockname()[1], rpc.getsockname()[1]

    @contextmanager
    def running(self) -> Iterator[InfluxDouble]:
        """Run influxd and its front."""
        config = self._folder / "influxd.conf"
        config.write_text(self._config())
        command = [str(shutil.which("influxd")), "run", "-config", str(config)]
        with (self._folder / "output").open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            self._create_database(process)
            with InfluxDouble(self._respond).running() as front:
                yield front
        finally:
            process.terminate()
            process.wait(10)

    def _config(self) -> str:
        folder = self._folder
        return (
            f'reporting-disabled = true\nbind-address = "127.0.0.1:{self._rpc_port}"\n'
            f'[meta]\ndir = "{folder}/meta"\n'
            f'[data]\ndir = "{folder}/data"\nwal-dir = "{folder}/wal"\n'
            f'[http]\nbind-address = "127.0.0.1:{self._port}"\nlog-enabled = false\n'
        )

    def _create_database(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + 30  # it takes one second; a loaded machine takes longer
        while True:
            try:
                self.query(f"CREATE DATABASE {self.BUCKET}")
            except OSError:
                assert process.poll() is None, (self._folder / "output").read_text()
                assert time.monotonic() < deadline, "influxd does not answer"
                time.sleep(0.05)
            else:
                return

    def query(self, text: str) -> list[dict[str, Any]]:
        """Run an InfluxQL query, and return its rows."""
        form = urllib.parse.urlencode({"db": self.BUCKET, "epoch": "ns", "q": text}).encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/query", form, 5) as answer:
            (result,) = json.load(answer)["results"]
        return [
            dict(zip(series["columns"], values, strict=True)) | series.get("tags", {})
            for series in result.get("series", ())
            for values in series["values"]
        ]

    def _respond(self, request: Request) -> Answer:
        if request.headers.get("Authorization") != f"Token {TOKEN}":
            return _error(401, "unauthorized access")
        return self._passed_on(request) if request.path == "/query" else self._write(request)

    def _passed_on(self, request: Request) -> Answer:
        url = f"http://127.0.0.1:{self._port}/query"
        with urllib.request.urlopen(url, request.body.encode(), 5) as answer:
            return Answer(answer.status, body=answer.read())

    def _write(self, request: Request) -> Answer:
        query = urllib.parse.urlencode({"db": request.query["bucket"], "precision": "n"})
        url = f"http://127.0.0.1:{self._port}/write?{query}"
        try:
            urllib.request.urlopen(url, request.body.encode(), 5).close()
        except urllib.error.HTTPError as error:
            found = json.load(error)["error"]
            return _error(422 if "type conflict" in found else error.code, found)
        return Answer()


def _error(status: int, message: str) -> Answer:
    return Answer(status, body=json.dumps({"code": "error", "message": message}).encode())
