"""The retry policy of a function: whether to try again, after how long."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Literal, Self

from local.timespan import parse_timespan
from scoring.errors import SettingsError

FOR_EVER = -1
_JITTER = (0.8, 1.2)  # the host spreads its exponential steps by a fifth to both sides


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """What ``@app.retry`` asks for.

    Parameters
    ----------
    strategy : str
        ``fixed_delay`` waits `minimum_s` each time; ``exponential_backoff`` begins there and
        doubles its step up to `maximum_s`.
    max_retry_count : int
        Retries after the first attempt; -1 for ever.
    """

    strategy: Literal["fixed_delay", "exponential_backoff"]
    max_retry_count: int
    minimum_s: float
    maximum_s: float

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], *, used_by: str) -> Self:
        """Read the policy as azure-functions holds it.

        Raises
        ------
        SettingsError
            If a part is missing or unreadable; names `used_by`.
        """
        count = _count(settings.get("max_retry_count"), used_by)
        match settings.get("strategy"):
            case "fixed_delay":
                delay = _interval(settings, "delay_interval", used_by)
                return cls("fixed_delay", count, delay, delay)
            case "exponential_backoff":
                minimum = _interval(settings, "minimum_interval", used_by)
                maximum = _interval(settings, "maximum_interval", used_by)
                return cls("exponential_backoff", count, minimum, maximum)
            case strategy:
                known = "fixed_delay or exponential_backoff"
                raise SettingsError([f"{used_by}: the retry strategy {strategy!r} must be {known}"])

    def allows(self, retries: int) -> bool:
        """Tell whether another attempt follows after `retries` of them."""
        return self.max_retry_count == FOR_EVER or retries < self.max_retry_count

    def delay_s(self, retries: int, random: Random) -> float:
        """Return the seconds to wait after the attempt that followed `retries` retries."""
        if self.strategy == "fixed_delay" or retries == 0:
            return self.minimum_s
        steps = min(retries - 1, 32)  # beyond that any maximum is reached; floats stay small
        grown = self.minimum_s * (1 + random.uniform(*_JITTER) * 2.0**steps)
        return min(grown, self.maximum_s)


def _count(value: object, used_by: str) -> int:
    try:
        count = int(str(value))
    except ValueError:
        count = FOR_EVER - 1
    if count < FOR_EVER:
        raise SettingsError(
            [f"{used_by}: max_retry_count {value!r} must be a whole number from -1 (for ever)"]
        )
    return count


def _interval(settings: Mapping[str, Any], name: str, used_by: str) -> float:
    value = settings.get(name)
    if value is None:
        raise SettingsError([f"{used_by}: its retry policy needs {name}, such as 00:00:01"])
    return parse_timespan(value, used_by=f"{used_by}, {name}")
