"""Reads line protocol as InfluxDB's server does: lines first, then each line by itself."""

import re
from dataclasses import dataclass, field

from fuzz.findings import FindingError

_SPECIAL = ",= "


@dataclass(slots=True)
class _Ends:
    """Where the server takes a line break for the end of a line: not in the text of a field."""

    in_fields: bool = False
    in_text: bool = False
    equals: int = 0
    commas: int = 0

    def see(self, sign: str) -> bool:
        """Look at one sign that no backslash stands before; tells whether the line ends here."""
        self.in_fields = self.in_fields or sign == " "
        if self.in_fields and not self.in_text:
            self.equals += sign == "="
            self.commas += sign == ","
        if self.in_fields and sign == '"' and self.equals > self.commas:
            self.in_text = not self.in_text
        return sign == "\n" and not self.in_text


def split_lines(text: str) -> list[str]:
    """Part a request into lines; here a backslash hides whatever sign comes after it."""
    found, start, place, ends = [], 0, 0, _Ends()
    while place < len(text):
        if text[place] == "\\" and place + 2 < len(text):
            place += 2
            continue
        if ends.see(text[place]):
            found.append(text[start:place])
            start, ends = place + 1, _Ends()
        place += 1
    return [*found, text[start:]]


@dataclass(frozen=True, slots=True)
class ReadLine:
    """One line as the server understands it."""

    measurement: str
    tags: dict[str, str]
    fields: dict[str, object] = field(default_factory=dict)
    time_ns: int = 0


def read_line(text: str) -> ReadLine:
    """Read one line; raises `FindingError` where the server would refuse it."""
    key, rest = _until(text, " ")
    parts = _split(key, ",")
    tags = dict(_pair(part) for part in parts[1:])
    if len(tags) != len(parts) - 1:
        raise FindingError(f"a tag stands twice in {text!r}")
    fields, time = _fields(rest)
    if not re.fullmatch(r"-?\d+", time):
        raise FindingError(f"no time but {time!r} at the end of {text!r}")
    return ReadLine(_plain(parts[0]), tags, fields, int(time))


def _until(text: str, stop: str) -> tuple[str, str]:
    """Cut at the first `stop` whose left neighbour is no backslash."""
    for place, sign in enumerate(text):
        if sign == stop and (not place or text[place - 1] != "\\"):
            return text[:place], text[place + 1 :]
    return text, ""


def _split(text: str, stop: str) -> list[str]:
    found = []
    while text:
        part, text = _until(text, stop)
        found.append(part)
    return found


def _pair(part: str) -> tuple[str, str]:
    name, value = _until(part, "=")
    if not name or not value or "=" in _unescaped(value):
        raise FindingError(f"{part!r} is no tag")
    return _plain(name), _plain(value)


def _unescaped(value: str) -> str:
    return re.sub(r"\\[,= ]", "", value)


def _plain(text: str) -> str:
    for sign in _SPECIAL:
        text = text.replace(f"\\{sign}", sign)
    return text


_FIELD = re.compile(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^," ]+))(,| )', re.DOTALL)


def _fields(text: str) -> tuple[dict[str, object], str]:
    found: dict[str, object] = {}
    place = 0
    while match := _FIELD.match(text, place):
        name, quoted, bare, ends = match.groups()
        found[name] = _value(bare) if quoted is None else re.sub(r'\\(["\\])', r"\1", quoted)
        place = match.end()
        if ends == " ":
            return found, text[place:]
    raise FindingError(f"no field at {text[place : place + 40]!r}")


def _value(text: str) -> object:
    known = {"true": True, "false": False}
    return known[text] if text in known else float(text)
