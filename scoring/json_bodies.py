"""Splits one event body into JSON documents: an object, an array, or one object a line."""

import json
import math
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

import msgspec

from scoring.errors import ReadingRejectedError
from scoring.json_nesting import MOST_NESTED, end_of_too_deep, nests_too_deeply

decode_strictly = msgspec.json.Decoder().decode
_decode_raw_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
# Python refuses to read longer integers; such a number is no finite float either.
_LONGEST_INTEGER: Final = 4_000
# What the two parsers raise on bad input.
BAD_JSON: Final = (msgspec.MsgspecError, ValueError, RecursionError)
# Why a reading is rejected that nests deeper than `MOST_NESTED`.
TOO_DEEP: Final = "too_deep"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
# A reading takes up to 3 kB on its way and its rejection 0.3 kB in storage, while `{},` is three
# bytes: 10 MB of that were 9 GB. This is 20 bytes a reading of the largest event there is.
MOST_READINGS: Final = 50_000


def _integer(digits: str) -> float:
    if len(digits) > _LONGEST_INTEGER:
        return -math.inf if digits.startswith("-") else math.inf
    return int(digits)


# A first line like this begins one document that is written on several lines.
_OPENED: Final = {b"{", b"["}
_LINE: Final = re.compile(rb"[^\r\n]+")
# Unlike the strict parser this one takes NaN and Infinity, so that a reading is told its fault.
_lenient: Final = json.JSONDecoder(parse_int=_integer)


def decode_shallow(body: bytes) -> Any:
    """Decode strict JSON; raises one of `BAD_JSON`, always of what nests too deeply."""
    if nests_too_deeply(body):
        raise RecursionError
    return decode_strictly(body)


class _ArrayBody:
    """The bytes of an array, cut into elements when one of them is asked for."""

    __slots__ = ("_body", "_elements")

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._elements: list[msgspec.Raw] | None = None

    def element(self, index: int) -> bytes:
        if self._elements is None:
            self._elements = _decode_raw_list(self._body)
        return bytes(self._elements[index])


class Document:
    """One JSON value where a reading was expected, and the bytes it came from.

    Parameters
    ----------
    value : object
        What the parser gave, or the error that it raised.
    body : bytes or array body
        The document's own bytes, or those of the array it stands in.
    index : int
        Position in the array.
    """

    __slots__ = ("_body", "_index", "value")

    def __init__(self, value: Any, body: bytes | _ArrayBody, index: int = 0) -> None:
        self.value = value
        self._body = body
        self._index = index

    def payload(self) -> dict[str, Any]:
        """Return the object; raises `ReadingRejectedError` where it is none."""
        value = self.value
        if type(value) is dict:
            return value
        if isinstance(value, ReadingRejectedError):
            raise value
        found = "null" if value is None else type(value).__name__
        raise ReadingRejectedError("not_an_object", f"expected a JSON object, not {found}")

    def raw(self) -> bytes:
        """Return the document's own bytes."""
        body = self._body
        return body if isinstance(body, bytes) else body.element(self._index)


def documents(body: bytes) -> Iterator[Document]:
    """Split a body; every document is a reading, or carries the reason why it is none.

    Parameters
    ----------
    body : bytes
        Any bytes. A reading that cannot be parsed costs none of its neighbours: lines stand
        alone, and what precedes a fault in the syntax of an array is kept. What follows
        `MOST_READINGS` of them is one rejection.
    """
    try:
        value = decode_shallow(body)
    except BAD_JSON:
        yield from _hard_documents(body.removeprefix(_BYTE_ORDER_MARK))
        return
    if type(value) is not list:
        yield Document(value, body)
    elif not value:
        yield _no_readings(body)
    elif len(value) > MOST_READINGS:
        del value  # it may take 100 times the body
        yield from _elements(body)
    else:
        array = _ArrayBody(body)
        for index, item in enumerate(value):
            yield Document(item, array, index)


def raw_reading(body: bytes, index: int) -> bytes:
    """Return the bytes of one reading of a body, as they arrived."""
    return next(islice(documents(body), index, None)).raw()


def raw_readings(places: Iterable[tuple[bytes, int]]) -> list[bytes]:
    """Return the bytes of many readings; a body is parsed once for neighbours that share it.

    Parameters
    ----------
    places : iterable of (bytes, int)
        A body, and which of its readings.
    """
    found: list[bytes] = []
    last: bytes | None = None
    within: list[Document] = []
    for body, index in places:
        if body is not last:
            last, within = body, list(documents(body))
        found.append(within[index].raw())
    return found


def _rejection(raw: bytes, reason: str, message: str) -> Document:
    return Document(ReadingRejectedError(reason, message), raw)


def _too_many(rest: bytes) -> Document:
    message = f"more than {MOST_READINGS:,} readings in one body; send fewer at a time"
    return _rejection(rest, "too_many_readings", message)


def _no_readings(body: bytes) -> Document:
    return _rejection(body, "no_readings", "the array is empty")


def _hard_documents(body: bytes) -> list[Document]:
    """Split what the strict parser refused: NaN, lines, damage."""
    if not body.strip():
        return [_rejection(body, "empty_body", "the event has no body")]
    whole = _document(body)
    if type(whole.value) is list:
        return _elements(body) or [_no_readings(body)]
    if not isinstance(whole.value, ReadingRejectedError):
        return [whole]
    # damaged: whichever way of cutting it saves more readings
    return max(_lines(body), _elements(body), key=_n_objects) or [whole]


def _document(raw: bytes) -> Document:
    if nests_too_deeply(raw):
        return _too_deep(raw)
    try:
        text = raw.decode()
        value, end = _lenient.raw_decode(text, _past_space(text, 0))
        _expect_end(text, end)
    except UnicodeDecodeError:
        return _not_utf8(raw)
    except (ValueError, RecursionError) as error:
        return _broken(raw, error, "expected JSON")
    return Document(value, raw)


def _not_utf8(raw: bytes) -> Document:
    return _rejection(raw, "not_utf8", "expected UTF-8 text")


def _too_deep(raw: bytes) -> Document:
    return _rejection(raw, TOO_DEEP, f"the JSON is nested more than {MOST_NESTED} levels deep")


def _broken(raw: bytes, error: Exception, expected: str) -> Document:
    if isinstance(error, RecursionError):
        return _too_deep(raw)
    return _rejection(raw, "invalid_json", f"{expected}: {error}"[:200])


def _n_objects(found: list[Document]) -> int:
    return sum(type(document.value) is dict for document in found)


def _lines(body: bytes) -> list[Document]:
    """Read one document a line, if the body looks like that: some line is a whole object."""
    found: list[Document] = []
    for match in _LINE.finditer(body):  # no list of all lines: there may be millions
        line = match[0]
        if not line.strip():
            continue
        if not found and line.strip() in _OPENED:
            return []
        if len(found) == MOST_READINGS:
            found.append(_too_many(body[match.start() :]))
            break
        found.append(_line(line))
    # one is no list of lines
    return found if len(found) > 1 and _n_objects(found) else []


def _line(line: bytes) -> Document:
    try:
        return Document(decode_shallow(line), line)
    except BAD_JSON:
        return _document(line)


def _elements(body: bytes) -> list[Document]:
    """Read an array by element; what follows a fault in its syntax is one rejection.

    Bytes that are no UTF-8 are a fault of the element that holds them.
    """
    text = body.decode(errors="surrogateescape")
    start = end = _past_space(text, 0)
    if not text.startswith("[", start):
        return []
    found: list[Document] = []
    element = _element_or_too_deep if nests_too_deeply(body) else _element
    try:
        while not found or text.startswith(",", end):
            start = _past_space(text, end + 1)
            if len(found) == MOST_READINGS:
                rest = text[start:].encode(errors="surrogateescape")
                return [*found, _too_many(b"[" + rest)]
            one, stop = element(text, start)
            found.append(one)
            end = _past_space(text, stop)
        _expect_closed(text, end)
    except (ValueError, RecursionError) as error:
        if found:
            rest = text[max(start, end) :].encode(errors="surrogateescape")
            found.append(_broken(rest, error, "the array breaks off here"))
    return found


def _element(text: str, start: int) -> tuple[Document, int]:
    """Read one element of an array; returns where it ends."""
    value, stop = _lenient.raw_decode(text, start)
    piece = text[start:stop]
    try:
        return Document(value, piece.encode()), stop
    except UnicodeEncodeError:
        return _not_utf8(piece.encode(errors="surrogateescape")), stop


def _element_or_too_deep(text: str, start: int) -> tuple[Document, int]:
    stop = end_of_too_deep(text, start)
    if stop is None:
        return _element(text, start)
    return _too_deep(text[start:stop].encode(errors="surrogateescape")), stop


def _expect_closed(text: str, position: int) -> None:
    if not text.startswith("]", position):
        raise json.JSONDecodeError("Expecting ',' delimiter", text, position)
    _expect_end(text, position + 1)


def _expect_end(text: str, position: int) -> None:
    if _past_space(text, position) < len(text):
        raise json.JSONDecodeError("Extra data", text, position)


def _past_space(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return position
