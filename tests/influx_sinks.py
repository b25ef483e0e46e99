"""Settings of sinks of InfluxDB on loopback, with a server that refuses single lines."""

from scoring.settings import InfluxSettings
from tests.http_double import Answer, HttpDouble, Request
from tests.influxd_server import TOKEN, RealInflux


def settings(url: str, token: str = TOKEN, bucket: str = RealInflux.BUCKET) -> InfluxSettings:
    """Point at a server on loopback."""
    return InfluxSettings(url, "plant", bucket, token)


def partial_write(bad: str, status: int) -> HttpDouble:
    """Refuse every request with a line that holds `bad`; a partial write says how many."""

    def answer(request: Request) -> Answer:
        n_bad = sum(bad in line for line in request.text.split("\n"))
        said = f"partial write: beyond retention dropped={n_bad}" if status == 422 else "no"
        return Answer(status, body=said.encode()) if n_bad else Answer()

    return HttpDouble(answer)
