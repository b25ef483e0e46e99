"""Holds measured values against what was promised."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Check = Literal["", "1", "all"]
TIMES = "\N{MULTIPLICATION SIGN}"
_RATIOS = {TIMES, "%"}
_NOT_MEASURED = "\N{EN DASH}"


@dataclass(frozen=True, slots=True)
class Budget:
    """One promise, and what was measured.

    Parameters
    ----------
    what : str
    kind : {"at least", "at most"}
    bound : float
    unit : str
        As written behind a number; of a ratio `TIMES` or ``%``.
    measured : float or None
        None where this machine cannot measure it.
    digits : int
        Behind the decimal point.
    """

    what: str
    kind: Literal["at least", "at most"]
    bound: float
    unit: str
    measured: float | None
    digits: int = 0

    @property
    def is_ratio(self) -> bool:
        """Whether both sides were measured in one run, so that the machine matters little."""
        return self.unit in _RATIOS

    @property
    def is_met(self) -> bool:
        """Whether the promise is kept; also where there is nothing to hold against it."""
        if self.measured is None:
            return True
        if self.kind == "at least":
            return self.measured >= self.bound
        return self.measured <= self.bound

    @property
    def verdict(self) -> Literal["ok", "missed", "not measured"]:
        """How it went, in words."""
        if self.measured is None:
            return "not measured"
        return "ok" if self.is_met else "missed"

    def cells(self) -> tuple[str, str, str, str]:
        """Write what, measured, budget and verdict."""
        sign = "≥" if self.kind == "at least" else "≤"
        measured = _NOT_MEASURED if self.measured is None else self._written(self.measured)
        return self.what, measured, f"{sign} {self._written(self.bound)}", self.verdict

    def _written(self, value: float) -> str:
        gap = "" if self.unit == TIMES else " "
        return f"{value:,.{self.digits}f}{gap}{self.unit}"


def exit_code(budgets: Iterable[Budget], check: Check) -> int:
    """Return 1 where a budget that counts is missed.

    Parameters
    ----------
    budgets : iterable of Budget
    check : {"", "1", "all"}
        Which count: none, those that are ratios, every one.
    """
    counting = [one for one in budgets if check == "all" or (check == "1" and one.is_ratio)]
    return 0 if all(one.is_met for one in counting) else 1
