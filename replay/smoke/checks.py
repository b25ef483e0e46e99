"""What was checked: expected, found, and where to look if it is wrong."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "WRONG", "note"]
_HEADS = ("check", "expected", "found", "verdict")
_WIDEST = 64  # of a cell; a longer one stands out and moves nothing else


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the table.

    Parameters
    ----------
    name, expected, found : str
    verdict : {"ok", "WRONG", "note"}
        A note is for the reader to know; it fails nothing.
    look_at : str
        For what is not ok: what it means, and what to look at.
    """

    name: str
    expected: str
    found: str
    verdict: Verdict
    look_at: str = ""


def judged(name: str, expected: str, found: str, look_at: str, *, is_ok: bool) -> Check:
    """Make a check that is ok or wrong; `look_at` is for the second case."""
    return Check(name, expected, found, "ok" if is_ok else "WRONG", "" if is_ok else look_at)


def is_passed(checks: Sequence[Check]) -> bool:
    """Tell whether nothing is wrong."""
    return not any(check.verdict == "WRONG" for check in checks)


def table(checks: Sequence[Check]) -> str:
    """Write the checks as a table, and below it what to look at."""
    rows = [_HEADS] + [(one.name, one.expected, one.found, one.verdict) for one in checks]
    widths = [min(max(map(len, column)), _WIDEST) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    advice = [f"{verdict}: {', '.join(names)}: {text}" for (verdict, text), names in _said(checks)]
    return "\n".join([*lines, *([""] if advice else []), *advice]) + "\n"


def _said(checks: Sequence[Check]) -> Iterable[tuple[tuple[str, str], list[str]]]:
    """Gather the names of checks that say the same."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in checks:
        if one.look_at:
            found.setdefault((one.verdict, one.look_at), []).append(one.name)
    return found.items()
