"""Tells from the bytes of JSON whether it nests too deeply to be read."""

import re
from typing import Final

import numpy as np

# The parsers go as deep as the stack where they are called allows, which is less in some places
# than in others. Half of what there is at most, so that a reading is either too deep everywhere or
# nowhere: who scored it cannot be surprised by it later.
MOST_NESTED: Final = 500
# Past this, where such a value ends is not looked for.
_HOPELESS: Final = 10 * MOST_NESTED
_NO_MARKS: Final = bytes(set(range(256)) - set(b'"[]{}'))
# One level deeper, or back, as signed bytes.
_STEPS: Final = bytes.maketrans(b'"[{]}', b"\x00\x01\x01\xff\xff")
_TEXT_OR_BRACKET: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


def nests_too_deeply(body: bytes) -> bool:
    """Tell whether a parser could meet more than `MOST_NESTED` open objects and arrays.

    Of valid JSON it is exact; of what is damaged somewhere it is true rather too often.
    """
    if len(body) <= MOST_NESTED:
        return False
    if body.find(b"[") < 0 and body.find(b"{", 1) < 0:  # one flat reading
        return False
    marks = body.translate(None, _NO_MARKS)
    return len(marks) > MOST_NESTED and _deepest(_without_escaped(body)) > MOST_NESTED


def _without_escaped(body: bytes) -> bytes:
    return body.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in body else body


def _deepest(body: bytes) -> int:
    """Count how many levels are open at most; without a loop, for arrays of many readings."""
    # text without brackets is two marks side by side
    marks = body.translate(None, _NO_MARKS).replace(b'""', b"")
    steps = np.frombuffer(marks.translate(_STEPS), np.int8)
    if b'"' in marks:
        is_quote = np.frombuffer(marks, np.uint8) == ord('"')
        steps = steps[~np.logical_xor.accumulate(is_quote)]
    level = np.cumsum(steps, dtype=np.int32)
    lowest = np.minimum.accumulate(level)  # closed before it was opened: damage
    level -= np.minimum(lowest, 0, out=lowest)
    return int(level.max(initial=0))


def end_of_too_deep(text: str, start: int) -> int | None:
    """Return where a value ends that nests too deeply; None if it does not.

    Raises
    ------
    RecursionError
        If it does, and its end cannot be found.
    """
    if not text.startswith(("[", "{"), start):
        return None
    depth = deepest = 0
    for mark in _TEXT_OR_BRACKET.finditer(text, start):
        if mark[0] in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark[0] in "]}":
            depth -= 1
        if not depth:
            return mark.end() if deepest > MOST_NESTED else None
        if deepest > _HOPELESS:
            break
    if deepest > MOST_NESTED:
        raise RecursionError
    return None
