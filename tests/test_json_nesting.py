"""Tests of scoring.json_nesting: what is too deep is so wherever it is read."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.errors import ReadingRejectedError
from scoring.json_bodies import documents
from scoring.json_nesting import MOST_NESTED, nests_too_deeply

FLAT = b'{"a":1}'


def nested(levels: int, text: bytes = b"") -> bytes:
    """Make an object with so many levels; text stands in each of them."""
    inside = levels - 1
    return b'{"t":"%b","x":' % text + b"[" * inside + b'"%b"' % text + b"]" * inside + b"}"


def pieces(body: bytes) -> list[tuple[str, bytes]]:
    """Tell which documents a body has, and why some of them are not read."""
    found = []
    for document in documents(body):
        try:
            document.payload()
            found.append(("read", document.raw()))
        except ReadingRejectedError as error:
            found.append((error.reason, document.raw()))
    return found


def further_down(n_frames: int, do: Callable[[], Any]) -> Any:
    """Do something deeper in the stack."""
    return further_down(n_frames - 1, do) if n_frames else do()


def depth(value: Any) -> int:
    """Count the levels of lists, slowly."""
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


@pytest.mark.parametrize("text", [b"", b"]]]", b"[[[", b'\\"[', b"\\\\", b'\\\\\\"}'])
def test_the_bound_itself_is_within_it(text: bytes) -> None:
    """Brackets in text are none, however it is written."""
    for levels, expected in ((MOST_NESTED, False), (MOST_NESTED + 1, True)):
        assert nests_too_deeply(nested(levels, text)) is expected


@given(st.recursive(st.text('"\\[]{}é\n'), st.lists))
def test_it_counts_what_a_tower_holds(value: Any) -> None:
    """Text and neighbours make nothing deeper."""
    n_around = MOST_NESTED - depth(value)
    for n, expected in ((n_around, False), (n_around + 1, True)):
        tower = "[" * n + json.dumps(value) + "]" * n
        body = json.dumps([value, "tower", value]).replace('"tower"', tower[1:-1])
        assert nests_too_deeply(body.encode()) is expected


def test_a_tower_of_objects_is_one_as_well() -> None:
    """Not of arrays alone."""
    for n, expected in ((MOST_NESTED, False), (MOST_NESTED + 1, True)):
        assert nests_too_deeply(b'{"a":' * n + b"1" + b"}" * n) is expected


def test_many_readings_side_by_side_are_not_deep() -> None:
    """However many there are; each closes what it opens."""
    assert not nests_too_deeply(b"[" + b",".join([nested(5)] * 5_000) + b"]")


@pytest.mark.parametrize("damage", [b"]" * 2_000, b"}" * 2_000])
def test_what_is_closed_too_often_hides_no_depth(damage: bytes) -> None:
    """A line of brackets before a deep one."""
    assert nests_too_deeply(damage + b"\n" + nested(MOST_NESTED + 1))


BODIES = {
    "alone": b"%b",
    "array": FLAT.join([b"[", b",%b,", b"]"]),
    "lines": FLAT.join([b"", b"\n%b\n", b""]),
    "array that breaks off": FLAT.join([b"[", b",%b,", b""]),
    "array of towers": b"[[%b]]",
}


@pytest.mark.parametrize("levels", [2, 498, 499, 500, 501, 700, 900, 950, 985, 990])
@pytest.mark.parametrize("form", BODIES)
def test_a_body_is_cut_the_same_wherever_it_is_read(levels: int, form: str) -> None:
    """What is spilled or refused is cut again by another, who has less of the stack left."""
    body = BODIES[form] % nested(levels)
    assert further_down(300, lambda: pieces(body)) == pieces(body)


@pytest.mark.parametrize("levels", [MOST_NESTED + 1, 990, 2_000])
@pytest.mark.parametrize("form", ["array", "lines"])
def test_a_reading_that_is_too_deep_costs_none_of_its_neighbours(form: str, levels: int) -> None:
    """It is turned away with its own bytes, those before and behind it are read."""
    deep = nested(levels, b'\\"[')
    flat = ("read", FLAT)
    assert pieces(BODIES[form] % deep) == [flat, ("too_deep", deep), flat]


def test_what_is_no_reading_beside_one_that_is_too_deep_is_told_by_itself() -> None:
    """Neither a number nor a text with a bracket is a part of it."""
    deep = nested(MOST_NESTED + 1)
    none, flat = "not_an_object", ("read", FLAT)
    expected = [(none, b'"["'), (none, b"1"), ("too_deep", deep), flat]
    assert pieces(b'["[",1,%b,%b]' % (deep, FLAT)) == expected


def test_what_is_hopelessly_deep_takes_what_follows_with_it() -> None:
    """Its end is not looked for: that would cost a device nothing, and the app much."""
    deep = nested(100_000)
    expected = [("read", FLAT), ("too_deep", deep + b"," + FLAT + b"]")]
    assert pieces(BODIES["array"] % deep) == expected
