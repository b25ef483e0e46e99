"""Splits one event body into JSON documents: an object, an array, or one object a line."""

import json
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from scoring.errors import ReadingRejectedError

_decode = msgspec.json.Decoder().decode
_decode_raw_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_scan_once = json.JSONDecoder().raw_decode
# What the two parsers raise on bad input; json also raises ValueError for absurdly long numbers.
_BAD_JSON: Final = (msgspec.MsgspecError, ValueError, RecursionError)
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class Document:
    """One JSON value where a reading was expected, and the bytes it came from.

    Parameters
    ----------
    value : object
        What the parser gave, or the error that it raised.
    body : bytes
        The whole event body.
    index : int
        Position in the body's array; -1 where the body is the document.
    """

    __slots__ = ("_body", "_index", "_value")

    def __init__(self, value: Any, body: bytes, index: int = -1) -> None:
        self._value = value
        self._body = body
        self._index = index

    def payload(self) -> dict[str, Any]:
        """Return the object; raises `ReadingRejectedError` where it is none."""
        value = self._value
        if type(value) is dict:
            return value
        if isinstance(value, ReadingRejectedError):
            raise value
        found = "null" if value is None else type(value).__name__
        raise ReadingRejectedError("not_an_object", f"expected a JSON object, not {found}")

    def raw(self) -> bytes:
        """Return the document's own bytes; the whole body where they cannot be told apart."""
        if self._index < 0:
            return self._body
        try:
            return bytes(_decode_raw_list(self._body)[self._index])
        except _BAD_JSON:
            return self._body


def documents(body: bytes) -> Iterator[Document]:
    """Split a body; every document is a reading, or carries the reason why it is none.

    Parameters
    ----------
    body : bytes
        Any bytes. A reading that cannot be parsed costs none of its neighbours: lines stand
        alone, and what precedes a fault in an array is kept.
    """
    try:
        value = _decode(body)
    except _BAD_JSON:
        yield from _hard_documents(body)
        return
    yield from _split(value, body)


def _split(value: Any, body: bytes) -> Iterator[Document]:
    if type(value) is not list:
        yield Document(value, body)
    elif not value:
        yield _rejection(body, "no_readings", "the array is empty")
    else:
        for index, item in enumerate(value):
            yield Document(item, body, index)


def _rejection(body: bytes, reason: str, message: str) -> Document:
    return Document(ReadingRejectedError(reason, message), body)


def _hard_documents(body: bytes) -> Iterator[Document]:
    """Split what the strict parser refused: NaN, lines, damage."""
    if not body.strip():
        yield _rejection(body, "empty_body", "the event has no body")
        return
    try:
        text = body.removeprefix(_BYTE_ORDER_MARK).decode()
    except UnicodeDecodeError:
        yield from _lines(body) or [_rejection(body, "not_utf8", "expected UTF-8 text")]
        return
    try:
        value = json.loads(text)  # unlike the strict parser this takes NaN and Infinity
    except RecursionError:
        yield _rejection(body, "too_deep", "the JSON is nested too deeply")
    except ValueError as error:
        yield from _lines(body) or _array_start(text) or [_invalid(body, error)]
    else:
        yield from _split(value, body)


def _invalid(body: bytes, error: ValueError) -> Document:
    return _rejection(body, "invalid_json", f"expected JSON: {error}"[:200])


def _lines(body: bytes) -> list[Document]:
    """Read one document a line, if the body looks like that: some line is a whole object."""
    lines = [line for line in body.splitlines() if line.strip()]
    if len(lines) < 2:  # noqa: PLR2004  # one line is no list of lines
        return []
    found = [document for line in lines for document in _line(line)]
    return found if any(_is_object(document) for document in found) else []


def _line(line: bytes) -> list[Document]:
    try:
        return [Document(_decode(line), line)]
    except _BAD_JSON:
        pass
    try:
        return [Document(json.loads(line.decode()), line)]
    except UnicodeDecodeError:
        return [_rejection(line, "not_utf8", "expected UTF-8 text")]
    except RecursionError:
        return [_rejection(line, "too_deep", "the JSON is nested too deeply")]
    except ValueError as error:
        return [_invalid(line, error)]


def _is_object(document: Document) -> bool:
    try:
        return bool(document.payload()) or True
    except ReadingRejectedError:
        return False


def _array_start(text: str) -> list[Document]:
    """Keep the elements of an array that precede the fault in it."""
    found: list[Document] = []
    position = text.find("[")
    if text[:position].strip() or position < 0:
        return found
    try:
        while text[position] in "[,":
            position = _skip_space(text, position + 1)
            value, end = _scan_once(text, position)
            found.append(Document(value, text[position:end].encode()))
            position = _skip_space(text, end)
    except (ValueError, RecursionError, IndexError) as error:
        if found:
            message = f"the array breaks off here: {error}"[:200]
            rest = text[position:].encode()
            found.append(_rejection(rest, "invalid_json", message))
    return found


def _skip_space(text: str, position: int) -> int:
    while text[position] in " \t\r\n":
        position += 1
    return position
