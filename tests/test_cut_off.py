"""Tests of tests.cut_off: what a client sees of a store that is cut off."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.cut_off import CutOffProxy


@pytest.fixture
def echo() -> Iterator[int]:
    """Run a server that sends back what it gets; return its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(one: socket.socket) -> None:
        with one, suppress(OSError):
            while data := one.recv(100):
                one.sendall(data)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=[listener.accept()[0]], daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield int(listener.getsockname()[1])
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


@pytest.fixture
def proxy(echo: int) -> Iterator[CutOffProxy]:
    """Put a proxy in front of it."""
    with CutOffProxy(echo).running() as found:
        yield found


def connected(proxy: CutOffProxy) -> socket.socket:
    """Connect as a store's client does."""
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def echoed(client: socket.socket) -> bytes:
    """Send, and return what comes back."""
    client.sendall(b"hello")
    return client.recv(100)


def is_ended(client: socket.socket) -> bool:
    """Tell whether the connection is over, by a goodbye or a reset."""
    try:
        return client.recv(100) == b""
    except ConnectionError:
        return True


def test_it_passes_on(proxy: CutOffProxy) -> None:
    """A client reaches the server."""
    with connected(proxy) as client:
        assert echoed(client) == b"hello"


def test_refusing_it_takes_no_connection_and_ends_those_there_are(proxy: CutOffProxy) -> None:
    """As where a server was killed."""
    with connected(proxy) as client:
        assert echoed(client) == b"hello"
        proxy.refuse()
        assert is_ended(client)
    with pytest.raises(ConnectionRefusedError):
        connected(proxy)


def test_silent_it_answers_neither_old_nor_new_connections(proxy: CutOffProxy) -> None:
    """Their time-outs are what ends them."""
    with connected(proxy) as old:
        assert echoed(old) == b"hello"
        proxy.fall_silent()
        with connected(proxy) as new:
            for client in (old, new):
                client.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    echoed(client)
    assert proxy.met == [2]


@pytest.mark.parametrize("cut", ["refuse", "fall_silent"])
def test_restored_it_passes_on_again(proxy: CutOffProxy, cut: str) -> None:
    """On the same port; what it was silent to is ended, since bytes of it are gone."""
    with connected(proxy) as old:
        assert echoed(old) == b"hello"
        getattr(proxy, cut)()
        proxy.restore()
        assert is_ended(old)
    with connected(proxy) as client:
        assert echoed(client) == b"hello"


def test_a_server_that_is_gone_ends_the_connection() -> None:
    """The client is not left waiting."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with CutOffProxy(port).running() as proxy:
        try:
            client = connected(proxy)
        except ConnectionError:  # so soon
            return
        with client:
            assert is_ended(client)
