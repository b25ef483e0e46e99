"""Runs every server that the app works with, each store behind a proxy of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.azurite import running_azurite
from local.log import EventLog, log_path
from scoring import spill
from scoring.storage import BlobStorage, Storage
from tests.cosmos_server import CosmosServer, connection_string, running_cosmos
from tests.cut_off import CutOffProxy
from tests.influxd_server import TOKEN, RealInflux
from tests.keeping_influx import KeepingInflux
from tests.stored_scores import StoredScore, cosmos_scores, influxdb_scores, line_scores

STORES = ("influxdb", "cosmos")
GROUP, HUB = "$Default", "sensor-features"
DATABASE, CONTAINER = "iot-sensor-db", "anomalies"
# Of each store's answer, as over a network: so that kills and cuts meet requests under way.
_LATENCY_S = 0.05

Influx = RealInflux | KeepingInflux


@dataclass(frozen=True, slots=True)
class Plant:
    """All that the app works with, each store behind a proxy of its own."""

    log: EventLog
    storage: Storage
    influx: Influx
    cosmos: CosmosServer
    proxies: dict[str, CutOffProxy]
    environment: dict[str, str]

    def waiting(self) -> dict[str, int]:
        """Count what is not at its place yet: events, and spilled batches by store."""
        container = self.storage.container(spill.CONTAINER)
        spilled = {name: sum(1 for _ in container.list(f"{name}/")) for name in STORES}
        return {"events": self.log.backlog(GROUP), **spilled}

    def stored(self) -> dict[str, list[StoredScore]]:
        """Read everything back, from the stores themselves."""
        influx = self.influx
        is_real = isinstance(influx, RealInflux)
        points = influxdb_scores(influx) if is_real else line_scores(influx.lines())
        return {"influxdb": points, "cosmos": cosmos_scores(self.cosmos, DATABASE, CONTAINER)}


@contextmanager
def plant(
    folder: Path, influx: Influx, spill_max_mb: int, latency_s: float = _LATENCY_S
) -> Iterator[Plant]:
    """Run every server for the length of a with block."""
    with (
        running_azurite() as azurite,
        running_cosmos() as cosmos,
        influx.running() as front,
        CutOffProxy(int(front.url.rpartition(":")[2]), latency_s).running() as to_influx,
        CutOffProxy(cosmos.port, latency_s).running() as to_cosmos,
        EventLog(log_path(folder, HUB)) as log,
    ):
        environment = {
            "DATA_DIR": str(folder),
            "STORAGE_CONNECTION_STRING": azurite.connection_string,
            "INFLUXDB_URL": to_influx.url,
            "INFLUXDB_ORG": "plant",
            "INFLUXDB_BUCKET": RealInflux.BUCKET,
            "INFLUXDB_TOKEN": TOKEN,
            "COSMOS_CONNECTION_STRING": connection_string(to_cosmos.url),
            "COSMOS_DATABASE": DATABASE,
            "COSMOS_CONTAINER": CONTAINER,
            "COSMOS_WRITE": "all",
            "SPILL_DRAIN_SCHEDULE": "* * * * * *",
            "SPILL_MAX_MB": str(spill_max_mb),
        }
        storage = BlobStorage(connection_string=azurite.connection_string)
        proxies = dict(zip(STORES, (to_influx, to_cosmos), strict=True))
        yield Plant(log, storage, influx, cosmos, proxies, environment)
        storage.service().close()
