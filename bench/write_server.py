"""An HTTP server in a process of its own that takes writes and says 204, as InfluxDB does."""

import socketserver
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bench.one_core import pin_to_core

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


@contextmanager
def running_write_server(core: int) -> Iterator[str]:
    """Run the server on a core for the length of a with block; gives its address."""
    command = [sys.executable, "-m", "bench.write_server", str(core)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  # ours
        try:
            if process.stdout is None:
                raise RuntimeError("no output of the write server")
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def main() -> None:
    """Serve on a free loopback port, on the core that is named."""
    pin_to_core(int(sys.argv[1]))
    with _Server(("127.0.0.1", 0), _Handler) as server:
        print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
