"""Every setting there is: name, default, where it belongs, what it means."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Where = Literal["local", "azure", "both"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable or app setting.

    Parameters
    ----------
    name : str
        As it stands in the environment.
    default : str or None
        What holds when it is absent; None: nothing does.
    where : {"local", "azure", "both"}
        Which example settings and which deployment carry it.
    meaning : str
        One line for `docs/settings.md`.
    """

    name: str
    default: str | None
    where: Where
    meaning: str


_ALL = (
    Setting("EventHubConnection", None, "local", "Event Hubs connection string, read by the host"),
    Setting(
        "EventHubConnection__fullyQualifiedNamespace",
        None,
        "azure",
        "Event Hubs namespace, read by the host; with an identity there is no key",
    ),
    Setting("EventHubConnection__credential", None, "azure", "`managedidentity`"),
    Setting("EventHubConnection__clientId", None, "azure", "the identity's client id"),
    Setting("EVENT_HUB_NAME", "sensor-features", "both", "the hub that readings arrive on"),
    Setting("EVENT_HUB_CONSUMER_GROUP", "$Default", "both", "a consumer group of the app's own"),
    Setting("STORAGE_ACCOUNT_NAME", None, "azure", "Blob Storage, reached by identity"),
    Setting("STORAGE_CONNECTION_STRING", None, "local", "Blob Storage by key, such as Azurite's"),
    Setting("DATA_DIR", ".local", "local", "folder used where there is no Blob Storage"),
    Setting("MODEL_CONTAINER_NAME", "models", "both", "container of the model artifacts"),
    Setting("MODEL_FILE_PATH", None, "both", "a bare artifact; unset: the registry layout"),
    Setting("MODEL_NAME", "default", "both", "name of the model in the registry"),
    Setting("MODEL_ROUTES", None, "both", "models by sensor id: `pump-*=vibration,*=default`"),
    Setting("TRUSTED_MODEL_TYPES", None, "both", "extra classes a model file may hold"),
    Setting("FEATURE_KEYS", None, "both", "features in the model's order, by comma"),
    Setting(
        "SENSOR_ID_KEYS",
        "sensor_id,device_id,unit_number,station_id,id",
        "both",
        "keys that may hold the sensor's id; the first present counts",
    ),
    Setting("MISSING_FEATURES", "reject", "both", "`reject`, or `median`: fill from training"),
    Setting("TIME_TIE_BREAK", "none", "both", "`sequence` keeps readings of one instant apart"),
    Setting("MODEL_REFRESH_SECONDS", "60", "both", "how often a process looks for a new model"),
    Setting(
        "MODEL_RELOAD_SCHEDULE", "0 */5 * * * *", "both", "when `reload_models` verifies models"
    ),
    Setting("ATTRIBUTION_MAX_READINGS", "50", "both", "anomalies a batch whose cause is computed"),
    Setting("SPILL_DRAIN_SCHEDULE", "*/30 * * * * *", "both", "when `drain_spill` writes back"),
    Setting("SPILL_MAX_MB", "1024", "both", "how much may wait for stores that are down"),
    Setting("FAST_DECODING", "true", "both", "`false`: azure-functions decodes events by itself"),
    Setting("INFLUXDB_URL", None, "both", "InfluxDB 2; the sink is on when this is set"),
    Setting("INFLUXDB_ORG", None, "both", "its organisation"),
    Setting("INFLUXDB_BUCKET", None, "both", "its bucket"),
    Setting("INFLUXDB_TOKEN", None, "both", "a token that may write to the bucket"),
    Setting("COSMOS_ENDPOINT", None, "azure", "Cosmos DB, reached by identity; it is on when set"),
    Setting("COSMOS_CONNECTION_STRING", None, "local", "Cosmos DB by key, such as an emulator's"),
    Setting("COSMOS_DATABASE", "iot-sensor-db", "both", "its database"),
    Setting("COSMOS_CONTAINER", "anomalies", "both", "its container, partitioned by `/sensor_id`"),
    Setting(
        "COSMOS_WRITE",
        None,
        "both",
        "`anomalies` or `all`; unset: `anomalies` where InfluxDB is on, else `all`",
    ),
    Setting("AZURE_CLIENT_ID", None, "azure", "the identity that reaches storage and Cosmos DB"),
    Setting(
        "APPLICATIONINSIGHTS_CONNECTION_STRING",
        None,
        "azure",
        "Application Insights; metrics and traces go there when it is set",
    ),
    Setting(
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
        None,
        "azure",
        "`ClientId=…;Authorization=AAD`: it is reached by that identity",
    ),
    Setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        None,
        "both",
        "a collector or agent, by OTLP over HTTP, such as `http://localhost:4318`",
    ),
    Setting("OTEL_METRIC_EXPORT_INTERVAL", "60000", "both", "milliseconds between exports"),
    Setting("OTEL_TRACES_SAMPLER_ARG", "0.05", "both", "share of good invocations that is traced"),
    Setting("TELEMETRY_CONSOLE", "false", "local", "`true` prints metrics and traces"),
)
SETTINGS: Mapping[str, Setting] = MappingProxyType({setting.name: setting for setting in _ALL})
# For commands that need no others: where the containers are, and where the scores go.
STORAGE_SETTINGS = frozenset({"STORAGE_ACCOUNT_NAME", "STORAGE_CONNECTION_STRING", "DATA_DIR"})
STORE_SETTINGS = frozenset(name for name in SETTINGS if name.startswith(("INFLUXDB_", "COSMOS_")))

# What the Functions host and its Python worker read, and no code of ours: name, no default, where
# it is set, why.
_OF_HOST = (
    Setting("FUNCTIONS_WORKER_RUNTIME", None, "local", "`python`; Flex Consumption refuses it"),
    Setting("AzureWebJobsStorage", None, "local", "checkpoints and timer locks; Azurite's"),
    Setting(
        "AzureWebJobsStorage__accountName", None, "azure", "the same on Azure: the account's name"
    ),
    Setting("AzureWebJobsStorage__credential", None, "azure", "`managedidentity`: no key"),
    Setting("AzureWebJobsStorage__clientId", None, "azure", "the identity's client id"),
    Setting(
        "PYTHON_THREADPOOL_THREAD_COUNT", None, "azure", "batches and requests scored side by side"
    ),
    Setting(
        "PYTHON_ISOLATE_WORKER_DEPENDENCIES",
        None,
        "both",
        "`1`: the worker's protobuf and ours stay apart; from Python 3.13 on by itself",
    ),
    Setting("OMP_NUM_THREADS", None, "azure", "`1`: side by side, NumPy's threads only contend"),
    Setting("OPENBLAS_NUM_THREADS", None, "azure", "`1`: the same, for its linear algebra"),
)
HOST_SETTINGS: Mapping[str, Setting] = MappingProxyType({one.name: one for one in _OF_HOST})
