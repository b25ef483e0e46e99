"""An HTTP server in a process of its own that takes writes and says 204, as InfluxDB does."""

import os
import socketserver
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_ANSWER = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"


class _Handler(socketserver.StreamRequestHandler):
    """Reads requests to their end, keeps the connection, and looks at nothing else."""

    def handle(self) -> None:
        """Answer until the client goes."""
        while True:
            length = 0
            line = self.rfile.readline()
            while line not in {b"\r\n", b""}:
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
                line = self.rfile.readline()
            if line == b"":
                return
            self.rfile.read(length)
            self.wfile.write(_ANSWER)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


def pin_to_core(core: int) -> None:
    """Keep this process on one core, where the system can do that and has that many."""
    if hasattr(os, "sched_setaffinity") and core in os.sched_getaffinity(0):
        os.sched_setaffinity(0, {core})


@contextmanager
def running_write_server() -> Iterator[str]:
    """Run the server for the length of a with block; gives its address."""
    command = [sys.executable, "-m", "bench.write_server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  # ours
        try:
            if process.stdout is None:
                raise RuntimeError("no output of the write server")
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def main() -> None:
    """Serve on a free loopback port, on the second core."""
    pin_to_core(1)
    with _Server(("127.0.0.1", 0), _Handler) as server:
        print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
