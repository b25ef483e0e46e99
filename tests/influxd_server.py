"""Runs a real influxd 1.x on loopback, with version 2's write API in front."""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_server
from typing import Any

import pytest

from tests.http_double import Answer, HttpDouble, Request

TOKEN = "secret-token"  # noqa: S105  # of our own servers
_MISSING = "there is no influxd; `make influxd` unpacks Debian's package"
_TIMEOUT_S = 5.0
# It takes one second; a loaded machine takes longer.
_START_TIMEOUT_S = 60.0


def find_influxd() -> Path | None:
    """Look on PATH, then where `make influxd` puts it."""
    unpacked = str(Path(sys.prefix) / "influxdb" / "usr" / "bin")
    found = shutil.which("influxd") or shutil.which("influxd", path=unpacked)
    return Path(found) if found else None


def is_influxd_expected() -> bool:
    """Tell whether tests run the real one: it is there, or this is CI, where it has to be."""
    return find_influxd() is not None or os.environ.get("CI") == "true"


def required_influxd() -> Path:
    """Return the program; without one skip the test, or fail it under ``CI=true``."""
    found = find_influxd()
    if found is None and is_influxd_expected():
        pytest.fail(_MISSING)
    if found is None:
        pytest.skip(_MISSING)
    return found


class RealInflux:
    """One influxd with one database; killed and started again it has its data and its ports."""

    BUCKET = "scores"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        with create_server(("127.0.0.1", 0)) as api, create_server(("127.0.0.1", 0)) as rpc:
            self._port, self._rpc_port = api.getsockname()[1], rpc.getsockname()[1]

    @contextmanager
    def running(self) -> Iterator[HttpDouble]:
        """Run it with its front, which stays while influxd is killed and started."""
        try:
            self.start()
            with HttpDouble(self._respond).running() as front:
                yield front
        finally:
            self.kill()

    def start(self) -> None:
        """Start it on the data that there is, and wait until it answers."""
        self._folder.mkdir(parents=True, exist_ok=True)
        config = self._folder / "influxd.conf"
        config.write_text(self._config())
        command = [str(required_influxd()), "run", "-config", str(config)]
        with (self._folder / "output").open("ab") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output)
        self._create_database(self._process)

    def kill(self) -> None:
        """End it as a crash would; what it answered for is on disk."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _config(self) -> str:
        folder = self._folder
        return (
            f'reporting-disabled = true\nbind-address = "127.0.0.1:{self._rpc_port}"\n'
            f'[meta]\ndir = "{folder}/meta"\n'
            f'[data]\ndir = "{folder}/data"\nwal-dir = "{folder}/wal"\n'
            f'[http]\nbind-address = "127.0.0.1:{self._port}"\nlog-enabled = false\n'
        )

    def _create_database(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while True:
            try:
                self.query(f"CREATE DATABASE {self.BUCKET}")
            except OSError:
                assert process.poll() is None, (self._folder / "output").read_text()
                assert time.monotonic() < deadline, "influxd does not answer"
                time.sleep(0.05)
            else:
                return

    def query(self, text: str, timeout_s: float = _TIMEOUT_S) -> list[dict[str, Any]]:
        """Run an InfluxQL query, and return its rows."""
        form = urllib.parse.urlencode({"db": self.BUCKET, "epoch": "ns", "q": text}).encode()
        url = f"http://127.0.0.1:{self._port}/query"
        with urllib.request.urlopen(url, form, timeout_s) as answer:
            (result,) = json.load(answer)["results"]
        assert "error" not in result, result["error"]
        return [
            dict(zip(series["columns"], values, strict=True)) | series.get("tags", {})
            for series in result.get("series", ())
            for values in series["values"]
        ]

    def _respond(self, request: Request) -> Answer:
        if request.headers.get("Authorization") != f"Token {TOKEN}":
            return _error(401, "unauthorized access")
        try:
            return self._passed_on(request) if request.path == "/query" else self._write(request)
        except urllib.error.HTTPError as error:
            found = json.load(error)["error"]
            return _error(422 if "type conflict" in found else error.code, found)
        except OSError as error:  # a killed server answers nothing, and so does its front
            raise ConnectionAbortedError from error

    def _passed_on(self, request: Request) -> Answer:
        url = f"http://127.0.0.1:{self._port}/query"
        with urllib.request.urlopen(url, request.body, _TIMEOUT_S) as answer:
            return Answer(answer.status, body=answer.read())

    def _write(self, request: Request) -> Answer:
        query = urllib.parse.urlencode({"db": request.query["bucket"], "precision": "n"})
        url = f"http://127.0.0.1:{self._port}/write?{query}"
        urllib.request.urlopen(url, request.body, _TIMEOUT_S).close()
        return Answer()


def _error(status: int, message: str) -> Answer:
    return Answer(status, body=json.dumps({"code": "error", "message": message}).encode())
