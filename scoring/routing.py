"""Sends each reading to the model that its sensor is routed to."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

# Sensors of which the route is remembered; a route costs microseconds, a look-up far less.
_MOST_REMEMBERED = 100_000


class Routes:
    """Models by sensor id; the first pattern that matches counts.

    Parameters
    ----------
    pairs : sequence of (str, str)
        Shell patterns and model names. None at all: everything goes to `default`.
    default : str
    """

    def __init__(self, pairs: Sequence[tuple[str, str]], default: str) -> None:
        self._pairs = tuple(pairs) or (("*", default),)
        self._known: dict[str, str | None] = {}

    @property
    def models(self) -> tuple[str, ...]:
        """Every model that a reading may be sent to."""
        return tuple(dict.fromkeys(name for _, name in self._pairs))

    @property
    def only_model(self) -> str | None:
        """The one model that takes every sensor, if it is so."""
        return self._pairs[0][1] if self._pairs[0][0] == "*" else None

    def model_for(self, sensor_id: str) -> str | None:
        """Return the model for a sensor; None where no pattern matches."""
        try:
            return self._known[sensor_id]
        except KeyError:
            found = next(
                (name for pattern, name in self._pairs if fnmatchcase(sensor_id, pattern)), None
            )
            if len(self._known) < _MOST_REMEMBERED:
                self._known[sensor_id] = found
            return found

    def by_model(self, sensor_ids: Sequence[str]) -> dict[str | None, Sequence[int]]:
        """Group readings by model; None holds those that no pattern matches."""
        if self.only_model is not None:
            return {self.only_model: range(len(sensor_ids))}
        groups: dict[str | None, list[int]] = {}
        for row, sensor_id in enumerate(sensor_ids):
            groups.setdefault(self.model_for(sensor_id), []).append(row)
        return dict(groups)
