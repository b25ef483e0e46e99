"""Counts what became of every reading of this process."""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class StoreCounts:
    """What became of scored readings at one store: scored = written + spilled + refused."""

    written: int
    spilled: int
    refused: int


@dataclass(frozen=True, slots=True)
class BatchCounts:
    """What became of one batch: received = scored + rejected + held.

    Parameters
    ----------
    received, scored, held : int
        Readings. Held ones are delivered again.
    rejected : mapping of str to int
        By reason.
    anomalies : int
    collided : int
        Different readings that share an identity: the last one is kept.
    stores : mapping of str to StoreCounts
        By sink.
    lag_ms : sequence of float
        Between the hub taking an event and the end of its batch.
    """

    received: int
    scored: int = 0
    held: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    anomalies: int = 0
    collided: int = 0
    stores: Mapping[str, StoreCounts] = field(default_factory=dict)
    lag_ms: Sequence[float] = ()

    def unaccounted(self) -> int:
        """Return how many readings went missing in the counts, here or at a store; must be 0."""
        missing = self.received - self.scored - sum(self.rejected.values()) - self.held
        return abs(missing) + sum(
            abs(self.scored - store.written - store.spilled - store.refused)
            for store in self.stores.values()
        )


class Ledger:
    """Totals since this process started; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._totals: Counter[str] = Counter()
        self._rejected: Counter[str] = Counter()
        self._stores: Counter[str] = Counter()
        self._lag_ms: Sequence[float] = ()
        self._is_holding = False

    def add(self, counts: BatchCounts) -> None:
        """Add one batch."""
        with self._lock:
            self._totals.update(
                batches=1,
                received=counts.received,
                scored=counts.scored,
                held=counts.held,
                anomalies=counts.anomalies,
                collided=counts.collided,
                unaccounted=counts.unaccounted(),
            )
            for name, store in counts.stores.items():
                self._stores.update(
                    {
                        f"{name}:written": store.written,
                        f"{name}:spilled": store.spilled,
                        f"{name}:refused": store.refused,
                    }
                )
            self._rejected.update(counts.rejected)
            self._is_holding = counts.held > 0
            self._lag_ms = counts.lag_ms or self._lag_ms

    def totals(self) -> dict[str, int]:
        """Return the counts by name."""
        with self._lock:
            return dict(self._totals)

    def stores(self) -> dict[str, int]:
        """Return what was written, spilled and refused, by store."""
        with self._lock:
            return dict(self._stores)

    def rejected(self) -> dict[str, int]:
        """Return the rejected readings by reason."""
        with self._lock:
            return dict(self._rejected)

    def is_holding(self) -> bool:
        """Tell whether the last batch was held, to come again."""
        with self._lock:
            return self._is_holding

    def lag_ms(self) -> tuple[float, float]:
        """Return median and maximum lag of the last batch, in ms."""
        with self._lock:
            lag = sorted(self._lag_ms)
        return (lag[len(lag) // 2], lag[-1]) if lag else (0.0, 0.0)
