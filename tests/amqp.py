"""Values of AMQP 1.0, as bytes."""

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

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
