"""An app on a Blob Storage that is stopped and started."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import fields, replace
from pathlib import Path

from local.azurite import Ports, connection_string, running_azurite
from tests.faulty_plants import Clock, Plant, running_plant
from tests.faulty_stores import InfluxStore, free_port


class Blob:
    """An Azurite that is stopped and started on the same ports and data."""

    def __init__(self, folder: Path) -> None:
        ports = {free_port()}
        while len(ports) < len(fields(Ports)):
            ports.add(free_port())
        self.ports = Ports(*ports)
        self._folder = folder
        self._running = ExitStack()

    def start(self) -> None:
        """Run it; what was stored before is there."""
        self._running.enter_context(running_azurite(self._folder, self.ports))

    def stop(self) -> None:
        """End it: connections are refused."""
        self._running.close()


@contextmanager
def blob_plant(
    folder: Path, blob: Blob, influx: InfluxStore, *, port: int = 0, refresh_s: float = 1
) -> Iterator[Plant]:
    """Run an app on Blob Storage, that looks for models as often as a test needs."""
    ports = replace(blob.ports, blob=port) if port else blob.ports
    environ = {
        "STORAGE_CONNECTION_STRING": connection_string(ports),
        "MODEL_REFRESH_SECONDS": str(refresh_s),
    }
    with running_plant(folder / "data", Clock(), [influx], **environ) as plant:
        yield plant
