"""Reads the text of single settings, with their defaults."""

from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from scoring.known_settings import SETTINGS

_T = TypeVar("_T")
_N = TypeVar("_N", int, float)


class SettingReader:
    """Takes values one by one and remembers what was wrong.

    Parameters
    ----------
    environ : mapping of str to str
        Where the settings stand.
    only : collection of str
        The settings to read. Others are as if they were absent.
    """

    def __init__(self, environ: Mapping[str, str], only: Collection[str]) -> None:
        self._environ = {name: value for name, value in environ.items() if name in only}
        self._only = only
        self.problems: list[str] = []

    def reads(self, name: str) -> bool:
        """Tell whether a setting is to be read."""
        return name in self._only

    def problem(self, text: str) -> None:
        """Remember a problem: one sentence, and never a value."""
        self.problems.append(text)

    def text(self, name: str) -> str | None:
        """Return the text or the default of a setting."""
        return self._environ.get(name, "").strip() or SETTINGS[name].default

    def is_set(self, name: str) -> bool:
        """Tell whether a setting is there, whatever its default."""
        return bool(self._environ.get(name, "").strip())

    def required(self, name: str) -> str:
        """Return the text of a setting that cannot be left out where it has no default."""
        value = self.text(name)
        if value is None:
            self.problem(f"{name}: is not set; {SETTINGS[name].meaning}")
        return value or ""

    def parsed(self, name: str, parse: Callable[[str], _T], expected: str) -> _T:
        """Parse a setting that has a default, and fall back to it after noting the problem."""
        default = SETTINGS[name].default or ""
        try:
            return parse(self.text(name) or default)
        except ValueError:
            self.problem(f"{name}: set {expected}")
            return parse(default)

    def names(self, name: str) -> tuple[str, ...]:
        """Return what stands between commas."""
        text = self.text(name)
        found = tuple(part.strip() for part in (text or "").split(","))
        if text is not None and ("" in found or len(set(found)) < len(found)):
            self.problem(f"{name}: set names separated by commas, each once and none empty")
        return tuple(part for part in found if part)


def between(number: Callable[[str], _N], least: _N, most: _N) -> Callable[[str], _N]:
    """Make a parser of numbers from `least` to `most`."""

    def parse(text: str) -> _N:
        value = number(text)
        if not least <= value <= most:
            raise ValueError(text)
        return value

    return parse


def chosen(choices: Mapping[str, _T], text: str) -> _T:
    """Return what a word stands for, in capitals or not; raises `ValueError` for any other."""
    if text.lower() not in choices:
        raise ValueError(text)
    return choices[text.lower()]
