"""Azurite, the emulator of Azure Storage, run by the Node that comes from PyPI."""

import argparse
import http.client
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import create_server

from local.node_package import NodePackageError, install_node_package, node
from scoring.errors import ScoringError

VERSION = "3.37.0"  # runs on the pinned Node
START_TIMEOUT_S = 60.0  # it takes two seconds; a loaded machine takes longer
STOP_TIMEOUT_S = 10.0  # writes its tables out when it ends
_ATTEMPTS = 5  # another program may take a free port before Azurite does
_ACCOUNT = "devstoreaccount1"
_KEY = (  # the emulator's key, public and the same everywhere
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)


class AzuriteError(ScoringError):
    """Azurite cannot be installed or started."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The loopback ports of the three services."""

    blob: int = 10_000
    queue: int = 10_001
    table: int = 10_002


@dataclass(frozen=True, slots=True)
class Azurite:
    """A running Azurite."""

    connection_string: str
    blob_port: int
    queue_port: int
    table_port: int
    pid: int


def connection_string(ports: Ports) -> str:
    """Return the connection string of an Azurite on `ports`."""
    endpoints = {"Blob": ports.blob, "Queue": ports.queue, "Table": ports.table}
    urls = [f"{n}Endpoint=http://127.0.0.1:{p}/{_ACCOUNT};" for n, p in endpoints.items()]
    account = f"DefaultEndpointsProtocol=http;AccountName={_ACCOUNT};AccountKey={_KEY};"
    return account + "".join(urls)


def install_azurite(prefix: Path | None = None) -> Path:
    """Install Azurite below `prefix` unless it is there; return its script.

    Safe to call from several processes at once: one installs, the others wait for it.

    Parameters
    ----------
    prefix : Path, optional
        ``azurite`` in the virtual environment by default.

    Raises
    ------
    AzuriteError
        If Node is missing, or npm fails.
    """
    prefix = prefix or Path(sys.prefix) / "azurite"
    try:
        package = install_node_package("azurite", VERSION, prefix)
    except NodePackageError as error:
        raise AzuriteError(f"Azurite cannot be installed: {error}") from error
    return package / "dist" / "src" / "azurite.js"


def answers(port: int) -> bool:
    """Tell whether an Azurite service answers on a loopback port."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/")
        return (connection.getresponse().getheader("Server") or "").startswith("Azurite")
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@contextmanager
def running_azurite(location: Path | None = None, ports: Ports | None = None) -> Iterator[Azurite]:
    """Run Azurite for the length of a with block.

    Parameters
    ----------
    location : Path, optional
        Folder that keeps the data; without it everything is in memory.
    ports : Ports, optional
        Free ones by default.

    Raises
    ------
    AzuriteError
        If it cannot be installed, or does not start.
    """
    script = install_azurite()
    with tempfile.TemporaryDirectory(prefix="azurite-") as scratch:
        process, used = _start(script, location, Path(scratch), ports)
        try:
            text = connection_string(used)
            yield Azurite(text, used.blob, used.queue, used.table, process.pid)
        finally:
            _stop(process)


def _start(
    script: Path, location: Path | None, scratch: Path, ports: Ports | None
) -> tuple[subprocess.Popen[bytes], Ports]:
    for _ in range(1 if ports else _ATTEMPTS):
        used = ports or _free_ports()
        if not _are_free(used):
            continue
        process = _spawn(script, location, scratch, used)
        try:
            if _is_ready(process, used):
                return process, used
        except BaseException:
            _stop(process)
            raise
        _stop(process)
    output = scratch / "output"
    found = output.read_text(errors="replace").strip() if output.exists() else ""
    raise AzuriteError(f"Azurite did not start on {used}; free these ports. {found}".strip())


def _spawn(
    script: Path, location: Path | None, scratch: Path, ports: Ports
) -> subprocess.Popen[bytes]:
    if location:
        location.mkdir(parents=True, exist_ok=True)
        store = ["--location", str(location.resolve())]
    else:
        store = ["--inMemoryPersistence"]
    hosts = [f"--{name}Host=127.0.0.1" for name in ("blob", "queue", "table")]
    numbers = [
        f"--blobPort={ports.blob}",
        f"--queuePort={ports.queue}",
        f"--tablePort={ports.table}",
    ]
    flags = ["--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    command = [str(node()), str(script), *store, *hosts, *numbers, *flags]
    with (scratch / "output").open("wb") as output:
        return subprocess.Popen(  # noqa: S603  a fixed command
            command,
            cwd=scratch,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches its owner, who stops it last
        )


def _is_ready(process: subprocess.Popen[bytes], ports: Ports) -> bool:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        if all(map(answers, (ports.blob, ports.queue, ports.table))):
            return process.poll() is None
        time.sleep(0.05)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _are_free(ports: Ports) -> bool:
    """Tell whether the ports can be bound; another Azurite there would look like this one."""
    try:
        for port in (ports.blob, ports.queue, ports.table):
            create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def _free_ports() -> Ports:
    servers = [create_server(("127.0.0.1", 0)) for _ in range(3)]
    numbers = [server.getsockname()[1] for server in servers]
    for server in servers:
        server.close()
    return Ports(*numbers)


def main(arguments: list[str] | None = None) -> int:
    """Run Azurite until SIGTERM or Ctrl-C; return the exit status."""
    usual = Ports()
    parser = argparse.ArgumentParser(prog="python -m local.azurite", description=__doc__)
    parser.add_argument("--location", type=Path, help="folder for the data; default: in memory")
    parser.add_argument("--blob-port", type=int, default=usual.blob)
    parser.add_argument("--queue-port", type=int, default=usual.queue)
    parser.add_argument("--table-port", type=int, default=usual.table)
    parser.add_argument("--install-only", action="store_true", help="install and end")
    options = parser.parse_args(arguments)
    try:
        if options.install_only:
            print(install_azurite())
            return 0
        ports = Ports(options.blob_port, options.queue_port, options.table_port)
        _run(options.location, ports)
    except AzuriteError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _run(location: Path | None, ports: Ports) -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with running_azurite(location, ports) as azurite:
        print(azurite.connection_string, flush=True)
        while not stop.wait(1.0):  # a wait without an end would not see Ctrl-C on Windows
            pass


if __name__ == "__main__":
    sys.exit(main())
