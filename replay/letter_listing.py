"""Describes dead letters for people and for programs."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from scoring.dead_letters import DeadLetters
from scoring.event_time import iso_time
from scoring.letters import DeadLetter, Identity


@dataclass(slots=True)
class Tally:
    """How many letters, and when the hub took the first and the last; ns since 1970, UTC."""

    letters: int = 0
    oldest_ns: int | None = None
    newest_ns: int | None = None

    def add(self, enqueued_ns: int) -> None:
        """Count one letter."""
        self.letters += 1
        self.oldest_ns = enqueued_ns if self.oldest_ns is None else min(self.oldest_ns, enqueued_ns)
        self.newest_ns = enqueued_ns if self.newest_ns is None else max(self.newest_ns, enqueued_ns)

    def document(self) -> dict[str, Any]:
        """Write it as a JSON object."""
        return {
            "letters": self.letters,
            "oldest_enqueued_time": None if self.oldest_ns is None else iso_time(self.oldest_ns),
            "newest_enqueued_time": None if self.newest_ns is None else iso_time(self.newest_ns),
        }


@dataclass(slots=True)
class Listing:
    """What there is, by reason and by hub; a letter that stands in two files counts once.

    Parameters
    ----------
    files, n_bytes : int
    unreadable : list of str
        Files that were damaged, and in which way.
    """

    files: int = 0
    n_bytes: int = 0
    unreadable: list[str] = field(default_factory=list)
    total: Tally = field(default_factory=Tally)
    reasons: dict[str, Tally] = field(default_factory=dict)
    hubs: dict[str, Tally] = field(default_factory=dict)

    def add(self, letter: DeadLetter) -> None:
        """Count one letter."""
        enqueued_ns = letter.enqueued_ns
        self.total.add(enqueued_ns)
        self.reasons.setdefault(letter.reason, Tally()).add(enqueued_ns)
        self.hubs.setdefault(letter.hub, Tally()).add(enqueued_ns)

    def document(self) -> dict[str, Any]:
        """Write it as a JSON object."""
        return {
            **self.total.document(),
            "files": self.files,
            "bytes": self.n_bytes,
            "reasons": {name: one.document() for name, one in _most_first(self.reasons)},
            "hubs": {name: one.document() for name, one in _most_first(self.hubs)},
            "unreadable": self.unreadable,
        }

    def text(self) -> str:
        """Write it as a table."""
        size = f"{self.files:,} files, {self.n_bytes:,} bytes"
        lines = [f"{self.total.letters:,} dead letters in {size}"]
        for head, tallies in (("reason", self.reasons), ("hub", self.hubs)):
            lines += _table(head, _most_first(tallies)) if tallies else []
        return "\n".join(lines) + "\n"


def listing(letters: DeadLetters) -> Listing:
    """Read every dead letter, and count."""
    found = Listing()
    seen: set[Identity] = set()
    for file in letters.files():
        found.files += 1
        found.n_bytes += file.n_bytes
        if file.fault is not None:
            found.unreadable.append(f"{file.path}: {file.fault}")
            continue
        seen = file.still_to_come(seen)
        for letter in file.letters:
            if letter.identity not in seen:
                seen.add(letter.identity)
                found.add(letter)
    return found


def letter_text(letter: DeadLetter) -> str:
    """Write one letter for people: from where, why, and what arrived."""
    place = f"{letter.hub}/{letter.partition} event {letter.sequence_number} index {letter.index}"
    names = [
        f"{what} {name}"
        for what, name in (
            ("enqueued", letter.enqueued_time),
            ("rejected", letter.rejected_time),
            ("partition key", letter.partition_key),
            ("device", letter.device_id),
        )
        if name is not None
    ]
    at_fault = "" if letter.field is None else f", field {letter.field}"
    raw = f"base64: {letter.raw_base64}" if letter.raw is None else letter.raw
    lines = [f"{place}: {letter.reason}{at_fault}", letter.message, ", ".join(names), raw]
    return "\n    ".join(map(printable, lines)) + "\n"


def printable(text: str) -> str:
    """Write out what a terminal would act upon; a reading may hold anything."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def _most_first(tallies: dict[str, Tally]) -> list[tuple[str, Tally]]:
    return sorted(tallies.items(), key=lambda item: (-item[1].letters, item[0]))


def _table(head: str, rows: Iterable[tuple[str, Tally]]) -> list[str]:
    cells = [[head, "letters", "enqueued first", "enqueued last"]]
    for name, tally in rows:
        times = tally.document()
        oldest, newest = times["oldest_enqueued_time"], times["newest_enqueued_time"]
        cells.append([printable(name), f"{tally.letters:,}", oldest, newest])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "",
        *(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in cells
        ),
    ]
