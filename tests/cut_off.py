"""A TCP proxy on loopback that can be cut off: it refuses connections, or falls silent."""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal

Mode = Literal["up", "refusing", "silent"]
_CHUNK_BYTES = 65_536
_RESET = struct.pack("ii", 1, 0)  # close at once, without a goodbye


class CutOffProxy:
    """Passes bytes on to a server on loopback until it is cut off.

    Refusing, nothing listens on the port, and what was open is reset. Silent, it takes
    connections and bytes, and neither passes on nor answers anything; what was open falls silent
    amid its request, so that the server may have done what nobody is told of. Up again, it
    resets the connections that it was silent to.

    Parameters
    ----------
    upstream_port : int
    latency_s : float
        How long each piece of an answer takes.
    """

    def __init__(self, upstream_port: int, latency_s: float = 0.0) -> None:
        self._upstream_port = upstream_port
        self._latency_s = latency_s
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = _bound(0)
        self.port = int(self._listener.getsockname()[1])
        self.mode: Mode = "refusing"
        self._asked: set[socket.socket] = set()  # clients that wait for an answer
        self.met: list[int] = []  # requests that each cut met: under way, or amid the silence

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def running(self) -> Iterator["CutOffProxy"]:
        """Pass on for the length of a with block."""
        self.restore()
        try:
            yield self
        finally:
            self.refuse()
            self._listener.close()
            for thread in self._threads:
                thread.join()

    def wait_for_request(self, seconds: float) -> float:
        """Wait until a client waits for an answer, or so long; return how long that took."""
        began = time.monotonic()
        while not self._asked and time.monotonic() < began + seconds:
            time.sleep(0.001)
        return time.monotonic() - began

    def refuse(self) -> None:
        """Refuse connections, and reset those there are."""
        with self._lock:
            if self.mode != "refusing":
                self._note_cut()
                self.mode = "refusing"
                _close(self._listener)
                self._listener = _bound(self.port)  # kept, so that nobody else takes it
            self._reset_all()

    def fall_silent(self) -> None:
        """Take everything, and answer nothing."""
        self._listen("silent")

    def restore(self) -> None:
        """Pass on again."""
        with self._lock:
            self._reset_all()
        self._listen("up")

    def _listen(self, mode: Mode) -> None:
        with self._lock:
            if mode == "silent":
                self._note_cut()
            is_closed, self.mode = self.mode == "refusing", mode
            if is_closed:
                self._listener.listen()
                self._start(self._accept, self._listener)

    def _note_cut(self) -> None:
        if self.mode == "up":
            self.met.append(len(self._asked))

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]  # any function
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):  # closed: from now on it refuses
            while True:
                client, _ = listener.accept()
                self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        with self._lock:
            if self.mode == "refusing":
                return _close(client)
            try:
                server = socket.create_connection(("127.0.0.1", self._upstream_port))
            except OSError:
                return _close(client)
            self._open |= {client, server}
            self._start(self._ask, client, server)
            self._start(self._answer, server, client)
        return None

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(_CHUNK_BYTES):
                with self._lock:
                    is_new = client not in self._asked
                    self._asked.add(client)
                    if is_new and self.mode == "silent":
                        self.met[-1] += 1
                if self.mode != "silent":
                    server.sendall(data)
        self._end(client, server)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(_CHUNK_BYTES):
                time.sleep(self._latency_s)
                if self.mode != "silent":
                    self._asked.discard(client)
                    client.sendall(data)
        self._end(server, client)

    def _end(self, source: socket.socket, target: socket.socket) -> None:
        with self._lock:
            self._open.discard(source)
            self._asked.discard(source)
            if self.mode != "silent":  # else the other one is not told
                _hang_up(target)
        source.close()

    def _reset_all(self) -> None:
        for one in self._open:
            _hang_up(one)


def _bound(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    return listener


def _hang_up(one: socket.socket) -> None:
    """End a connection whose pump then closes it; already ended, it stays so."""
    with suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        one.shutdown(socket.SHUT_RDWR)


def _close(one: socket.socket) -> None:
    _hang_up(one)  # wakes who waits for it
    one.close()
