"""Makes the batches that are measured, as the host sends them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from azure.functions import meta
from azure.functions.eventhub import EventHubTriggerConverter

FEATURES = ("temperature", "humidity", "noise", "vibration_rms", "pressure", "current")
_ANOMALY_SHARE = 0.01
_START_MS = 1_777_636_800_000  # 2026-05-01T12:00:00Z
# Each reading is this much after the one before it, so that no two share a time.
_STEP_MS = 7


@dataclass(frozen=True, slots=True)
class Workload:
    """One batch, in the forms that the ways of scoring take it.

    Parameters
    ----------
    bodies : list of bytes
        UTF-8 JSON readings.
    metadata : mapping of str to Datum
        As the host sends it beside the bodies.
    """

    bodies: list[bytes]
    metadata: Mapping[str, meta.Datum]

    def decoded(self) -> Any:
        """Decode as the worker does before it calls the function."""
        data = meta.Datum(SimpleNamespace(bytes=self.bodies), "collection_bytes")
        return EventHubTriggerConverter.decode(data, trigger_metadata=self.metadata)

    def save(self, path: Path) -> None:
        """Write the batch to a file, for another process."""
        metadata = {name: datum.value for name, datum in self.metadata.items()}
        path.write_text(json.dumps([[body.decode() for body in self.bodies], metadata]))


def load_workload(path: Path) -> Workload:
    """Read a batch that was saved."""
    bodies, metadata = json.loads(path.read_text())
    datums = {name: meta.Datum(text, "json") for name, text in metadata.items()}
    return Workload([body.encode() for body in bodies], datums)


def make_workload(n_events: int, n_sensors: int = 50, first: int = 0) -> Workload:
    """Make a batch of which one reading in a hundred is an anomaly."""
    generator = np.random.default_rng(first)
    X = generator.normal(scale=0.7, size=(n_events, len(FEATURES)))
    anomalous = generator.permutation(n_events)[: round(n_events * _ANOMALY_SHARE)]
    X[anomalous] += 9.0
    bodies = [_body(first + i, n_sensors, row) for i, row in enumerate(X.round(4).tolist())]
    return Workload(bodies, _metadata(n_events, n_sensors, first))


def _body(number: int, n_sensors: int, row: list[float]) -> bytes:
    moment = np.datetime64(_START_MS + number * _STEP_MS, "ms")
    reading = {"sensor_id": _sensor(number, n_sensors), "timestamp": f"{moment}Z"}
    return json.dumps(reading | dict(zip(FEATURES, row, strict=True))).encode()


def _sensor(number: int, n_sensors: int) -> str:
    return f"pump-{number % n_sensors:04d}"


def _metadata(n_events: int, n_sensors: int, first: int) -> dict[str, meta.Datum]:
    """Write what extension 6 sends; several events of a batch share a time of arrival."""
    system = []
    for number in range(first, first + n_events):
        arrived = np.datetime64(_START_MS + number // 20, "ms")
        system.append(
            {
                "x-opt-sequence-number": number,
                "x-opt-offset": str(number),
                "x-opt-enqueued-time": str(arrived),
                "SequenceNumber": number,
                "Offset": number,
                "PartitionKey": _sensor(number, n_sensors),
                "EnqueuedTimeUtc": str(arrived),
            }
        )
    context = {"PartitionId": "0", "EventHubName": "sensor-features", "ConsumerGroup": "scorer"}
    texts = {
        "SystemPropertiesArray": system,
        "PropertiesArray": [{}] * n_events,
        "PartitionContext": context,
    }
    return {name: meta.Datum(json.dumps(value), "json") for name, value in texts.items()}
