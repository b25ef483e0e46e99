"""Tests of scoring.json_bodies: no body costs more readings than its faults do."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring import json_bodies
from scoring.errors import ReadingRejectedError
from scoring.json_bodies import MOST_READINGS, Document, documents, raw_readings


def outcome(document: Document) -> Any:
    """Return the object, or the reason why there is none."""
    try:
        return document.payload()
    except ReadingRejectedError as error:
        return error.reason


def outcomes(body: bytes) -> list[Any]:
    """Return objects and reasons in order."""
    return [outcome(document) for document in documents(body)]


def pieces(body: bytes) -> list[tuple[Any, bytes]]:
    """Return objects or reasons with the bytes they came from."""
    return [(outcome(document), document.raw()) for document in documents(body)]


def test_an_object_is_one_reading() -> None:
    """Its raw bytes are the body."""
    assert pieces(b' {"a": 1} ') == [({"a": 1}, b' {"a": 1} ')]


def test_an_array_is_a_reading_an_element() -> None:
    """Each has its own bytes."""
    assert pieces(b'[{"a":1}, {"a" : 2}]') == [({"a": 1}, b'{"a":1}'), ({"a": 2}, b'{"a" : 2}')]


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\n\n", b"\n  \n"])
def test_lines_are_a_reading_each(newline: bytes) -> None:
    """Gateways send newline-delimited JSON, with or without a last newline."""
    body = newline.join([b'{"a":1}', b'{"a":2}'])
    assert outcomes(body) == [{"a": 1}, {"a": 2}]
    assert outcomes(body + newline) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty_body"),
        (b" \n ", "empty_body"),
        (b"\xef\xbb\xbf", "empty_body"),
        (b"[]", "no_readings"),
        (b"\xef\xbb\xbf[]", "no_readings"),
        (b"{", "invalid_json"),
        (b"temperature=3", "invalid_json"),
        (b"\xff\xfe", "not_utf8"),
        (b'{"a":"\xff"}', "not_utf8"),
        ('{"a":1}'.encode("utf-16"), "not_utf8"),
        (b"null", "not_an_object"),
        (b"1", "not_an_object"),
        (b"NaN", "not_an_object"),
        (b'"text"', "not_an_object"),
        (b"[[1]]", "not_an_object"),
        (b"[" * 200_000, "too_deep"),
        (b'{"a":' * 200_000, "too_deep"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_a_body_that_is_no_reading_has_one_reason(body: bytes, reason: str) -> None:
    """The reason is a short code that dead letters are counted by."""
    assert outcomes(body) == [reason]


def test_a_byte_order_mark_is_no_fault() -> None:
    """Windows tools write one; neither an object, an array nor the first line suffers."""
    mark = b"\xef\xbb\xbf"
    assert outcomes(mark + b'{"a":1}') == [{"a": 1}]
    assert outcomes(mark + b'[{"a":1}]') == [{"a": 1}]
    assert outcomes(mark + b'{"a":1}\n{"a":2}') == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b'{"a":', "invalid_json"),
        (b"oops", "invalid_json"),
        (b"[1", "invalid_json"),
        (b"[1]", "not_an_object"),
        (b"7", "not_an_object"),
        (b'{"a":"\xff"}', "not_utf8"),
        (b'{"a":' * 200_000, "too_deep"),
    ],
    ids=lambda value: repr(value)[:24],
)
@pytest.mark.parametrize("place", [0, 1, 2], ids=["first", "middle", "last"])
def test_a_bad_line_costs_no_other(bad: bytes, reason: str, place: int) -> None:
    """Lines stand alone, wherever the bad one is."""
    lines = [b'{"a":1}', b'{"a":2}']
    lines.insert(place, bad)
    expected: list[Any] = [({"a": 1}, b'{"a":1}'), ({"a": 2}, b'{"a":2}')]
    expected.insert(place, (reason, bad))
    assert pieces(b"\n".join(lines)) == expected


@pytest.mark.parametrize(
    ("bad", "found"),
    [
        (b"3", "not_an_object"),
        (b"null", "not_an_object"),
        (b'{"a":"\xff"}', "not_utf8"),
        (b'"\xc3"', "not_utf8"),
        (b'{"a":1e999}', {"a": float("inf")}),
        (b'{"a":-' + b"9" * 5_000 + b"}", {"a": -float("inf")}),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_a_bad_element_costs_no_other(bad: bytes, found: Any) -> None:
    """Elements that can be told apart stand alone, each with its own bytes."""
    body = b'[{"a":1}, ' + bad + b' ,{"a":2}]'
    assert pieces(body) == [({"a": 1}, b'{"a":1}'), (found, bad), ({"a": 2}, b'{"a":2}')]


@pytest.mark.parametrize(
    ("tail", "rest"),
    [
        (b', {"a": tru}, {"a":3}]', b'{"a": tru}, {"a":3}]'),
        (b', {"a":', b'{"a":'),
        (b",", b""),
        (b",]", b"]"),
        (b"", b""),
        (b' {"a":3}]', b'{"a":3}]'),
        (b'] {"a":3}', b'] {"a":3}'),
        (b'][{"a":3}]', b'][{"a":3}]'),
    ],
    ids=repr,
)
def test_a_broken_array_keeps_what_precedes_the_fault(tail: bytes, rest: bytes) -> None:
    """What follows is one rejection with its bytes, so that nothing is lost in silence."""
    body = b'[{"a":1}, {"a":2}' + tail
    kept = [({"a": 1}, b'{"a":1}'), ({"a": 2}, b'{"a":2}')]
    assert pieces(body) == [*kept, ("invalid_json", rest)]


def test_an_array_with_a_too_deep_element_keeps_what_precedes_it() -> None:
    """The rest is told to be too deep."""
    assert outcomes(b'[{"a":1},' + b"[" * 200_000) == [{"a": 1}, "too_deep"]


def test_a_broken_array_over_several_lines_is_an_array() -> None:
    """Whichever way of cutting a damaged body saves more readings is taken."""
    body = b'[\n{"a":1},\n{"a":2},\n{"a":3}\n{"a":4}\n]'
    assert outcomes(body) == [{"a": 1}, {"a": 2}, {"a": 3}, "invalid_json"]


def test_what_only_python_takes_for_json_is_left_to_the_features() -> None:
    """NaN and Infinity reach the check that can name the feature."""
    found = outcomes(b'[{"a":NaN},{"a":-Infinity},{"a":1}]')
    assert str(found) == "[{'a': nan}, {'a': -inf}, {'a': 1}]"


def test_half_a_surrogate_pair_is_a_text() -> None:
    """JSON may escape one; whether it may be used is for the field to say."""
    assert outcomes(b'{"a":"\\ud800"}') == [{"a": "\ud800"}]


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":' + b"9" * 10_000_000 + b"}",
        b'{"a":0.' + b"9" * 10_000_000 + b"}",
        b'{"a":1e' + b"9" * 10_000_000 + b"}",
        b"[" + b"0," * 300_000 + b"0]",
        b"[" + b"0," * 300_000 + b"0",
        b"[NaN," + b"0," * 300_000 + b"0]",
        b"{}\n" * 200_000 + b"{",
        b"\n" * 3_000_000 + b"x",
    ],
    ids=["digits", "fraction", "exponent", "array", "broken array", "NaN", "lines", "newlines"],
)
def test_a_huge_body_takes_no_huge_time(body: bytes) -> None:
    """Time grows with the length and not with its square; the raw bytes included."""
    began = time.process_time()
    for document in documents(body):
        outcome(document)
        document.raw()
    assert time.process_time() - began < 10


@given(st.binary())
def test_any_bytes_are_readings_or_rejections(body: bytes) -> None:
    """Never nothing, and never another exception."""
    found = list(documents(body))
    assert found
    for document in found:
        outcome(document)
        assert isinstance(document.raw(), bytes)


json_like = st.recursive(
    st.sampled_from([b"1", b"{}", b'{"a":1}', b"NaN", b'"\xff"', b"tru", b"", b"\n", b"]"]),
    lambda inner: st.one_of(
        st.lists(inner).map(lambda parts: b"[" + b",".join(parts) + b"]"),
        st.lists(inner).map(b"\n".join),
    ),
)


@given(json_like)
def test_damaged_json_is_readings_or_rejections(body: bytes) -> None:
    """The same for bytes that come close to what is expected."""
    for document in documents(body):
        outcome(document)
        document.raw()


@given(st.lists(st.dictionaries(st.text(), st.integers(-(2**70), 2**70)), min_size=1))
def test_every_way_to_send_readings_gives_the_same(readings: list[dict[str, int]]) -> None:
    """An array and lines hold what the readings held."""
    lines = [json.dumps(reading).encode() for reading in readings]
    assert outcomes(b"[" + b",".join(lines) + b"]") == readings
    assert outcomes(b"\n".join(lines)) == readings


def test_a_damaged_document_on_several_lines_is_one_rejection() -> None:
    """A whole object on one of its lines is a part of it, and no reading of its own."""
    body = b'{\n  "sensor_id": "a",\n  "features":\n{"a": 1, "b": 2}\n  "timestamp": '
    (only,) = documents(body)
    with pytest.raises(ReadingRejectedError) as caught:
        only.payload()
    assert (caught.value.reason, only.raw()) == ("invalid_json", body)


@pytest.mark.parametrize(
    ("begin", "between", "end"),
    [(b"[", b",", b"]"), (b"[NaN,", b",", b"]"), (b"", b"\n", b"\n")],
    ids=["array", "array with NaN", "lines"],
)
def test_what_follows_very_many_readings_is_one_rejection(
    begin: bytes, between: bytes, end: bytes
) -> None:
    """Three bytes a reading would otherwise become kilobytes each; what is left can be replayed."""
    first = begin.count(b"NaN")
    body = begin + between.join([b'{"a":1}'] * (MOST_READINGS - first) + [b'{"b":2}'] * 3) + end
    *found, last = documents(body)
    assert len(found) == MOST_READINGS
    assert outcome(last) == "too_many_readings"
    assert outcomes(last.raw()) == [{"b": 2}] * 3


def test_as_many_readings_as_are_allowed_are_all_read() -> None:
    """The bound itself is within it."""
    assert outcomes(b"[" + b"{}," * (MOST_READINGS - 1) + b"{}]") == [{}] * MOST_READINGS


def test_the_bytes_of_many_readings_are_those_of_each() -> None:
    """In the order that they are asked for, whatever the bodies are."""
    bodies = [b'[{"a":1}, {"a" : 2}]', b'{"a":3}', b'{"a":4}\n{"a":5}']
    places = [(0, 1), (0, 0), (2, 1), (1, 0), (0, 1)]
    found = raw_readings((bodies[body], index) for body, index in places)
    assert found == [b'{"a" : 2}', b'{"a":1}', b'{"a":5}', b'{"a":3}', b'{"a" : 2}']


def test_a_body_is_parsed_once_for_all_its_readings(monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage must not take the square of an array's length."""
    parsed: list[bytes] = []

    def counting(body: bytes) -> Any:
        parsed.append(body)
        return documents(body)

    monkeypatch.setattr(json_bodies, "documents", counting)
    body = b"[" + b"{}," * 99 + b"{}]"
    assert raw_readings((body, index) for index in range(100)) == [b"{}"] * 100
    assert parsed == [body]
