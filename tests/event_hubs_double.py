"""An event hub for tests that takes what producers send, over AMQP 1.0 on a loopback socket.

It knows what azure-eventhub needs in order to send: anonymous SASL, token put to ``$cbs``, links
with credit, single and batched messages. Its client is told to leave out TLS by
``UseDevelopmentEmulator=true`` in the connection string.
"""

import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Self

HEADER_BYTES = 8
MAX_MESSAGE_BYTES = 1024 * 1024  # as the service's standard tier
CREDIT = 1000
ACCEPTED, REJECTED, ERROR = 0x24, 0x25, 0x1D
SOURCE, TARGET = 0x28, 0x29
ANNOTATIONS, PROPERTIES, APPLICATION_PROPERTIES, DATA, VALUE = 0x72, 0x73, 0x74, 0x75, 0x77
OPEN, BEGIN, ATTACH, FLOW, TRANSFER, DISPOSITION, DETACH, END, CLOSE = range(0x10, 0x19)
SASL_MECHANISMS, SASL_OUTCOME = 0x40, 0x44
FIXED = {  # format code: struct format
    0x50: ">B", 0x51: ">b", 0x52: ">B", 0x53: ">B", 0x54: ">b", 0x55: ">b", 0x56: ">?",
    0x60: ">H", 0x61: ">h", 0x70: ">I", 0x71: ">i", 0x72: ">f", 0x80: ">Q", 0x81: ">q",
    0x82: ">d", 0x83: ">q",
}  # fmt: skip
EMPTY: dict[int, Any] = {0x40: None, 0x41: True, 0x42: False, 0x43: 0, 0x44: 0, 0x45: []}


class Symbol(str):
    """AMQP's kind of text for names."""

    __slots__ = ()


class Described(NamedTuple):
    """A value with a descriptor that says what it is."""

    descriptor: Any
    value: Any


class Encoded(bytes):
    """A value that is encoded already, because its width matters."""


def ubyte(n: int) -> Encoded:
    """Encode an unsigned byte."""
    return Encoded(b"\x50" + struct.pack(">B", n))


def ushort(n: int) -> Encoded:
    """Encode 16 unsigned bits."""
    return Encoded(b"\x60" + struct.pack(">H", n))


def uint(n: int) -> Encoded:
    """Encode 32 unsigned bits."""
    return Encoded(b"\x70" + struct.pack(">I", n))


def encode(value: Any) -> bytes:
    """Encode a value; whole numbers as 64 bits."""
    if isinstance(value, Encoded):
        return bytes(value)
    if isinstance(value, Described):
        return b"\x00\x53" + bytes([value.descriptor]) + encode(value.value)
    if value is None or isinstance(value, int):
        return _encode_scalar(value)
    if isinstance(value, str):
        return _sized(b"\xa3" if isinstance(value, Symbol) else b"\xa1", value.encode(), ">B")
    if isinstance(value, bytes):
        return _sized(b"\xb0", value, ">I")
    items = [each for pair in value.items() for each in pair] if isinstance(value, dict) else value
    content = struct.pack(">I", len(items)) + b"".join(map(encode, items))
    return _sized(b"\xd1" if isinstance(value, dict) else b"\xd0", content, ">I")


def _encode_scalar(value: int | None) -> bytes:
    if value is None or isinstance(value, bool):
        return {None: b"\x40", True: b"\x41", False: b"\x42"}[value]
    return b"\x81" + struct.pack(">q", value)


def _sized(code: bytes, content: bytes, size: str) -> bytes:
    return code + struct.pack(size, len(content)) + content


def decode(data: bytes, at: int = 0) -> tuple[Any, int]:
    """Decode the value at a position; return it with the position after it."""
    code = data[at]
    at += 1
    if code == 0:
        descriptor, at = decode(data, at)
        value, at = decode(data, at)
        return Described(descriptor, value), at
    if code in EMPTY:
        return EMPTY[code], at
    if code in FIXED:
        return struct.unpack_from(FIXED[code], data, at)[0], at + struct.calcsize(FIXED[code])
    if code == 0x98:  # a UUID, only ever sent back
        return Encoded(data[at - 1 : at + 16]), at + 16
    return _decode_sized(code, data, at)


def _decode_sized(code: int, data: bytes, at: int) -> tuple[Any, int]:
    size = ">I" if code & 0x10 else ">B"
    width = struct.calcsize(size)
    end = at + width + struct.unpack_from(size, data, at)[0]
    at += width
    kind = code & 0xEF
    if kind in {0xA0, 0xA1, 0xA3}:
        content = bytes(data[at:end])
        return (content if kind == 0xA0 else content.decode()), end
    items = []
    n_items = struct.unpack_from(size, data, at)[0]
    at += width
    if kind == 0xE0:  # an array: one constructor for all of its items
        return [], end
    for _ in range(n_items):
        item, at = decode(data, at)
        items.append(item)
    return (dict(zip(items[::2], items[1::2], strict=True)) if kind == 0xC1 else items), end


def sections(message: bytes) -> Iterator[tuple[int, Any]]:
    """Yield a message's sections as descriptor and value."""
    at = 0
    while at < len(message):
        section, at = decode(message, at)
        yield section.descriptor, section.value


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
        parts = list(sections(message))
        key = next((v.get("x-opt-partition-key") for code, v in parts if code == ANNOTATIONS), None)
        self.n_transfers += 1
        for body in (value for code, value in parts if code == DATA):
            inner = list(sections(body)) if body[:1] == b"\x00" else [(DATA, body)]
            self.received += [Received(key, value) for code, value in inner if code == DATA]


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
            OPEN: self.on_open,
            BEGIN: self.on_begin,
            ATTACH: self.on_attach,
            TRANSFER: self.on_transfer,
            DETACH: self.on_detach,
            END: lambda channel, _fields, _payload: self.send(channel, END, [None]),
            CLOSE: lambda _channel, _fields, _payload: self.send(0, CLOSE, [None]),
        }
        try:
            self.greet()
            while True:
                channel, frame = self.read_frame()
                if frame:
                    performative, end = decode(frame)
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
            self.send(0, SASL_MECHANISMS, [Symbol("ANONYMOUS")], kind=1)
            self.read_frame()
            self.send(0, SASL_OUTCOME, [ubyte(0), None], kind=1)
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
        frame = encode(Described(code, fields)) + payload
        size = len(frame) + HEADER_BYTES
        self.wfile.write(struct.pack(">IBBH", size, 2, kind, channel) + frame)

    def on_open(self, _channel: int, _fields: list[Any], _payload: bytes) -> None:
        """Agree on frames; the client reads every field."""
        limits = [uint(65536), ushort(1023), uint(240_000)]
        self.send(0, OPEN, ["double", None, *limits, None, None, None, None, {}])

    def on_begin(self, channel: int, _fields: list[Any], _payload: bytes) -> None:
        """Begin a session."""
        windows = [uint(0), uint(2**31 - 1), uint(2**31 - 1), uint(1023)]
        self.send(channel, BEGIN, [ushort(channel), *windows, None, None, {}])

    def on_attach(self, channel: int, fields: list[Any], _payload: bytes) -> None:
        """Attach a link, refusing one to another hub, and give the sender credit."""
        name, handle, client_receives = fields[0], fields[1], bool(fields[2])
        source, target = fields[5].value[0], fields[6].value[0]
        address = source if client_receives else target
        link = Link(channel, handle, address, is_reply=client_receives)
        self.links[channel, handle] = link
        ends = [Described(SOURCE, [source]), Described(TARGET, [target])]
        counts = [uint(0) if client_receives else None, MAX_MESSAGE_BYTES]
        modes = [not client_receives, ubyte(0), ubyte(0)]
        attached = [name, uint(handle), *modes, *ends, None, None, *counts, None, None, {}]
        self.send(channel, ATTACH, attached)
        if "$" not in address and not address.endswith(f"/{self.server.hub}"):
            condition = Described(ERROR, [Symbol("amqp:not-found"), "no such hub", None])
            self.send(channel, DETACH, [uint(handle), True, condition])
        elif not client_receives:
            session = [uint(0), uint(2**31 - 1), uint(0), uint(2**31 - 1)]
            flow = [*session, uint(handle), uint(0), uint(CREDIT), uint(0), False, False, None]
            self.send(channel, FLOW, flow)

    def on_transfer(self, channel: int, fields: list[Any], payload: bytes) -> None:
        """Take a message, which may come in parts, and settle it."""
        link = self.links[channel, fields[0]]
        key = (channel, fields[0])
        message = self.pending.pop(key, b"") + payload
        if fields[5]:
            self.pending[key] = message
            return
        state = Described(ACCEPTED, [])
        if link.address == "$cbs":
            self.accept_token(message)
        elif link.address.endswith("$management"):
            self.describe_hub(message)
        elif self.server.is_refusing:
            error = Described(ERROR, [Symbol("com.microsoft:argument-error"), "refused", None])
            state = Described(REJECTED, [error])
        else:
            self.server.publish(message)
        delivery = uint(fields[1])
        self.send(channel, DISPOSITION, [True, delivery, delivery, True, state, False])

    def accept_token(self, request: bytes) -> None:
        """Answer 202 to whoever puts a token."""
        self.reply(request, "$cbs", 202, None)

    def describe_hub(self, request: bytes) -> None:
        """Say that the hub has one partition; asked after an error."""
        created = Encoded(b"\x83" + struct.pack(">q", 0))
        facts = {"name": self.server.hub, "created_at": created, "partition_ids": ["0"]}
        self.reply(request, "$management", 200, facts)

    def reply(self, request: bytes, node: str, status: int, body: dict[str, Any] | None) -> None:
        """Send the answer to a request on the link that the node answers on."""
        message_id = next(value[0] for code, value in sections(request) if code == PROPERTIES)
        links = self.links.values()
        link = next(link for link in links if link.is_reply and link.address.endswith(node))
        code = Encoded(b"\x71" + struct.pack(">i", status))
        answer = (
            encode(Described(PROPERTIES, [None] * 5 + [message_id]))
            + encode(
                Described(APPLICATION_PROPERTIES, {"status-code": code, "status-description": ""})
            )
            + encode(Described(VALUE, body))
        )
        delivery = [uint(self.n_sent), struct.pack(">I", self.n_sent), uint(0), False, False]
        self.n_sent += 1
        rest = [None, None, False, False, False]
        self.send(link.channel, TRANSFER, [uint(link.handle), *delivery, *rest], answer)

    def on_detach(self, channel: int, fields: list[Any], _payload: bytes) -> None:
        """Detach a link."""
        if self.links.pop((channel, fields[0]), None):
            self.send(channel, DETACH, [uint(fields[0]), True, None])
