"""Reads where the InfluxDB sink writes."""

from collections.abc import Callable
from dataclasses import dataclass, field

from scoring.azure_host import is_unresolved


@dataclass(frozen=True, slots=True)
class InfluxSettings:
    """Where the InfluxDB sink writes."""

    url: str
    org: str
    bucket: str
    token: str = field(repr=False)


def read_influx(
    text: Callable[[str], str | None],
    required: Callable[[str], str],
    problem: Callable[[str], None],
) -> InfluxSettings | None:
    """Read and check the settings; None where the sink is off.

    Parameters
    ----------
    text : callable
        Returns the text or the default of a setting.
    required : callable
        Returns the text of a setting, empty after telling the problem that there is none.
    problem : callable
        Takes each problem: one sentence, and never a value.
    """
    url = text("INFLUXDB_URL")
    if url is None:
        return None
    if not url.startswith(("http://", "https://")):
        problem("INFLUXDB_URL: set an address that begins with http:// or https://")
    org, bucket, token = (required(f"INFLUXDB_{part}") for part in ("ORG", "BUCKET", "TOKEN"))
    if is_unresolved(token):
        problem(
            "INFLUXDB_TOKEN: the vault's secret cannot be read; set it, give the app's identity the"
            " role Key Vault Secrets User, and restart the app"
        )
    if not (token.isascii() and token.isprintable()):
        problem("INFLUXDB_TOKEN: holds characters that no token has; copy it again")
    return InfluxSettings(url, org, bucket, token)
