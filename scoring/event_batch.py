"""One batch of the trigger as columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec

# As columns hold it: a file that says more was damaged.
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


@dataclass(frozen=True, slots=True)
class EventBatch:
    """What the trigger delivered, as columns; one entry an event.

    Parameters
    ----------
    hub, partition : str
        Where the events come from.
    bodies : sequence of bytes
    sequence_numbers : sequence of int
    enqueued_ns : sequence of int
        When the hub took each event; ns since 1970, UTC.
    partition_keys, device_ids : sequence of str or None
        Event Hubs partition key and IoT Hub device id.
    first_indexes : sequence of int
        Which reading of its event each body begins with, where readings are replayed apart from
        their neighbours; empty where every body is whole.
    """

    hub: str
    partition: str
    bodies: Sequence[bytes]
    sequence_numbers: Sequence[int]
    enqueued_ns: Sequence[int]
    partition_keys: Sequence[str | None]
    device_ids: Sequence[str | None]
    first_indexes: Sequence[int] = ()

    def first_index(self, event: int) -> int:
        """Return the index, in the body as it once arrived, of the first reading of a body."""
        return self.first_indexes[event] if self.first_indexes else 0

    def fallback_sensor_id(self, event: int) -> str:
        """Name the sensor of an event whose readings name none."""
        return self.partition_keys[event] or self.device_ids[event] or f"partition-{self.partition}"
