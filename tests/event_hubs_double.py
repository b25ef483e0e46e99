"""An event hub for tests that takes what producers send, over AMQP 1.0 on a loopback socket.

It knows what azure-eventhub needs in order to send: anonymous SASL, token put to ``$cbs``, links
with credit, single and batched messages. Its client is told to leave out TLS by
``UseDevelopmentEmulator=true`` in the connection string.
"""

import socketserver
import struct
import threading
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from tests import amqp

if TYPE_CHECKING:
    from collections.abc import Callable

HEADER_BYTES = 8
MAX_MESSAGE_BYTES = 1024 * 1024  # as the service's standard tier
CREDIT = 1000


class Received(NamedTuple):
    """One event as it arrived."""

    key: str | None
    body: bytes


class EventHubsDouble(socketserver.ThreadingTCPServer):
    """The service.

    Parameters
    ----------
    hub : str
        The one event hub it has.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, hub: str) -> None:
        super().__init__(("127.0.0.1", 0), Connection)
        self.hub = hub
        self.received: list[Received] = []
        self.n_transfers = 0
        self.is_refusing = False

    @property
    def connection_string(self) -> str:
        """What a client needs to know."""
        return (
            f"Endpoint=sb://127.0.0.1:{self.server_address[1]};SharedAccessKeyName=name;"
            "SharedAccessKey=key;UseDevelopmentEmulator=true;"
        )

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.shutdown()
        self.server_close()

    def publish(self, message: bytes) -> None:
        """Take a message, or the messages that a batch holds in its data sections."""
        parts = list(amqp.sections(message))
        key = next(
            (v.get("x-opt-partition-key") for code, v in parts if code == amqp.ANNOTATIONS), None
        )
        self.n_transfers += 1
        for body in (value for code, value in parts if code == amqp.DATA):
            inner = list(amqp.sections(body)) if body[:1] == b"\x00" else [(amqp.DATA, body)]
            self.received += [Received(key, value) for code, value in inner if code == amqp.DATA]


class Link(NamedTuple):
    """One direction of messages between client and service."""

    channel: int
    handle: int
    address: str
    is_reply: bool


class Connection(socketserver.StreamRequestHandler):
    """One client."""

    server: EventHubsDouble

    def handle(self) -> None:
        """Answer frames until the client goes."""
        self.links: dict[tuple[int, int], Link] = {}
        self.pending: dict[tuple[int, int], bytes] = {}
        self.n_sent = 0
        on_frame: dict[int, Callable[[int, list[Any], bytes], None]] = {
            amqp.OPEN: self.on_open,
            amqp.BEGIN: self.on_begin,
            amqp.ATTACH: self.on_attach,
            amqp.TRANSFER: self.on_transfer,
            amqp.DETACH: self.on_detach,
            amqp.END: lambda channel, _fields, _payload: self.send(channel, amqp.END, [None]),
            amqp.CLOSE: lambda _channel, _fields, _payload: self.send(0, amqp.CLOSE, [None]),
        }
        try:
            self.greet()
            while True:
                channel, frame = self.read_frame()
                if frame:
                    performative, end = amqp.decode(frame)
                    fields = performative.value + [None] * 14
                    if performative.descriptor in on_frame:
                        on_frame[performative.descriptor](channel, fields, frame[end:])
        except (EOFError, OSError):
            return

    def greet(self) -> None:
        """Let anyone in."""
        header = self.read(HEADER_BYTES)
        if header[4] == 3:  # the SASL protocol
            self.wfile.write(header)
            self.send(0, amqp.SASL_MECHANISMS, [amqp.Symbol("ANONYMOUS")], kind=1)
            self.read_frame()
            self.send(0, amqp.SASL_OUTCOME, [amqp.ubyte(0), None], kind=1)
            header = self.read(HEADER_BYTES)
        self.wfile.write(header)

    def read(self, n_bytes: int) -> bytes:
        """Return that many bytes."""
        data = self.rfile.read(n_bytes)
        if len(data) < n_bytes:
            raise EOFError
        return data

    def read_frame(self) -> tuple[int, bytes]:
        """Return a frame's channel and body."""
        size, offset, _kind, channel = struct.unpack(">IBBH", self.read(HEADER_BYTES))
        return channel, self.read(size - HEADER_BYTES)[offset * 4 - HEADER_BYTES :]

    def send(
        self, channel: int, code: int, fields: list[Any], payload: bytes = b"", kind: int = 0
    ) -> None:
        """Send a frame."""
        frame = amqp.encode(amqp.Described(code, fields)) + payload
        size = len(frame) + HEADER_BYTES
        self.wfile.write(struct.pack(">IBBH", size, 2, kind, channel) + frame)

    def on_open(self, _channel: int, _fields: list[Any], _payload: bytes) -> None:
        """Agree on frames; the client reads every field."""
        limits = [amqp.uint(65536), amqp.ushort(1023), amqp.uint(240_000)]
        self.send(0, amqp.OPEN, ["double", None, *limits, None, None, None, None, {}])

    def on_begin(self, channel: int, _fields: list[Any], _payload: bytes) -> None:
        """Begin a session."""
        windows = [amqp.uint(0), amqp.uint(2**31 - 1), amqp.uint(2**31 - 1), amqp.uint(1023)]
        self.send(channel, amqp.BEGIN, [amqp.ushort(channel), *windows, None, None, {}])

    def on_attach(self, channel: int, fields: list[Any], _payload: bytes) -> None:
        """Attach a link, refusing one to another hub, and give the sender credit."""
        name, handle, client_receives = fields[0], fields[1], bool(fields[2])
        source, target = fields[5].value[0], fields[6].value[0]
        address = source if client_receives else target
        link = Link(channel, handle, address, is_reply=client_receives)
        self.links[channel, handle] = link
        ends = [amqp.Described(amqp.SOURCE, [source]), amqp.Described(amqp.TARGET, [target])]
        counts = [amqp.uint(0) if client_receives else None, MAX_MESSAGE_BYTES]
        modes = [not client_receives, amqp.ubyte(0), amqp.ubyte(0)]
        attached = [name, amqp.uint(handle), *modes, *ends, None, None, *counts, None, None, {}]
        self.send(channel, amqp.ATTACH, attached)
        if "$" not in address and not address.endswith(f"/{self.server.hub}"):
            condition = amqp.Described(
                amqp.ERROR, [amqp.Symbol("amqp:not-found"), "no such hub", None]
            )
            self.send(channel, amqp.DETACH, [amqp.uint(handle), True, condition])
        elif not client_receives:
            session = [amqp.uint(0), amqp.uint(2**31 - 1), amqp.uint(0), amqp.uint(2**31 - 1)]
            flow = [
                *session,
                amqp.uint(handle),
                amqp.uint(0),
                amqp.uint(CREDIT),
                amqp.uint(0),
                False,
                False,
                None,
            ]
            self.send(channel, amqp.FLOW, flow)

    def on_transfer(self, channel: int, fields: list[Any], payload: bytes) -> None:
        """Take a message, which may come in parts, and settle it."""
        link = self.links[channel, fields[0]]
        key = (channel, fields[0])
        message = self.pending.pop(key, b"") + payload
        if fields[5]:
            self.pending[key] = message
            return
        state = amqp.Described(amqp.ACCEPTED, [])
        if link.address == "$cbs":
            self.accept_token(message)
        elif link.address.endswith("$management"):
            self.describe_hub(message)
        elif self.server.is_refusing:
            error = amqp.Described(
                amqp.ERROR, [amqp.Symbol("com.microsoft:argument-error"), "refused", None]
            )
            state = amqp.Described(amqp.REJECTED, [error])
        else:
            self.server.publish(message)
        delivery = amqp.uint(fields[1])
        self.send(channel, amqp.DISPOSITION, [True, delivery, delivery, True, state, False])

    def accept_token(self, request: bytes) -> None:
        """Answer 202 to whoever puts a token."""
        self.reply(request, "$cbs", 202, None)

    def describe_hub(self, request: bytes) -> None:
        """Say that the hub has one partition; asked after an error."""
        created = amqp.Encoded(b"\x83" + struct.pack(">q", 0))
        facts = {"name": self.server.hub, "created_at": created, "partition_ids": ["0"]}
        self.reply(request, "$management", 200, facts)

    def reply(self, request: bytes, node: str, status: int, body: dict[str, Any] | None) -> None:
        """Send the answer to a request on the link that the node answers on."""
        message_id = next(
            value[0] for code, value in amqp.sections(request) if code == amqp.PROPERTIES
        )
        links = self.links.values()
        link = next(link for link in links if link.is_reply and link.address.endswith(node))
        code = amqp.Encoded(b"\x71" + struct.pack(">i", status))
        answer = (
            amqp.encode(amqp.Described(amqp.PROPERTIES, [None] * 5 + [message_id]))
            + amqp.encode(
                amqp.Described(
                    amqp.APPLICATION_PROPERTIES, {"status-code": code, "status-description": ""}
                )
            )
            + amqp.encode(amqp.Described(amqp.VALUE, body))
        )
        delivery = [
            amqp.uint(self.n_sent),
            struct.pack(">I", self.n_sent),
            amqp.uint(0),
            False,
            False,
        ]
        self.n_sent += 1
        rest = [None, None, False, False, False]
        self.send(link.channel, amqp.TRANSFER, [amqp.uint(link.handle), *delivery, *rest], answer)

    def on_detach(self, channel: int, fields: list[Any], _payload: bytes) -> None:
        """Detach a link."""
        if self.links.pop((channel, fields[0]), None):
            self.send(channel, amqp.DETACH, [amqp.uint(fields[0]), True, None])
