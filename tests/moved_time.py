"""Time that a test moves by hand."""


class Clock:
    """Seconds that stand still until they are moved.

    Parameters
    ----------
    now : float, default=1_000.0
        The time at the beginning.
    """

    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let that much time pass."""
        self.now += seconds


class Waits:
    """Stands in for sleep, and remembers how long it should have been."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        """Wait no time at all."""
        self.seconds.append(seconds)
