"""Tests of scoring.sinks.influxdb: what a real influxd reads."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scoring.errors import SinkUnavailableError
from scoring.sinks.influxdb import InfluxSink
from tests.event_batches import ENQUEUED_NS
from tests.http_double import HttpDouble
from tests.influx_sinks import settings
from tests.influxd_server import RealInflux
from tests.moved_time import Waits
from tests.scored_batches import scored_batch


@pytest.fixture(scope="module")
def real(influxd: Path, tmp_path_factory: pytest.TempPathFactory) -> RealInflux:
    """Set up a real influxd."""
    return RealInflux(tmp_path_factory.mktemp("influxd"))


@pytest.fixture(scope="module")
def front(real: RealInflux) -> Iterator[HttpDouble]:
    """Run it behind version 2's write API."""
    with real.running() as server:
        yield server


def test_a_real_server_reads_what_was_written(real: RealInflux, front: HttpDouble) -> None:
    """Types, text and times are those of the scored readings."""
    InfluxSink(settings(front.url)).write([scored_batch(2)])
    first, second = real.query("SELECT * FROM anomaly_score WHERE sensor_id = 'pump-1'")
    assert first == {
        "time": ENQUEUED_NS,
        "anomaly_score": 0.5,
        "cause": "vibration 75%, temperature 25%",
        "is_anomaly": True,
        "model": "default",
        "model_version": "v1",
        "score": 0.1 - 0.5,
        "sensor_id": "pump-1",
    }
    assert (second["is_anomaly"], second["cause"]) == (False, None)


def test_a_real_server_keeps_one_point_an_identity(real: RealInflux, front: HttpDouble) -> None:
    """A batch written again adds nothing; the version that scored last is the one stored."""
    sink = InfluxSink(settings(front.url))
    for version in ("v1", "v1", "v2"):
        sink.write([scored_batch(10, sensor_ids=["twice"] * 10, model_version=version)])
    found = real.query("SELECT model_version FROM anomaly_score WHERE sensor_id = 'twice'")
    assert [point["model_version"] for point in found] == ["v2"] * 10


@pytest.mark.parametrize(
    "sensor",
    ["a b", "a,b", "a=b", "a\\b", "a\\ b", "\\", "a\\", '"', "läuft 🔧", "a\\,model=x", "#x"],
    ids=lambda text: text,
)
def test_a_real_server_reads_every_sensor_id(
    real: RealInflux, front: HttpDouble, sensor: str
) -> None:
    """No id forges a tag, and each is found under its name (a space behind a last backslash)."""
    batch = scored_batch(1, sensor_ids=[sensor], model=f"m{abs(hash(sensor))}")
    InfluxSink(settings(front.url)).write([batch])
    points = real.query("SELECT score, model, sensor_id FROM anomaly_score")
    expected = sensor + " " if sensor.endswith("\\") else sensor
    assert [p["sensor_id"] for p in points if p["model"] == batch.model] == [expected]


def test_a_real_server_reads_a_sensor_id_that_hides_the_end_of_its_line(
    real: RealInflux, front: HttpDouble
) -> None:
    """The readings before and after it are stored, too, and at the first request each."""
    sensors = ["hides-1", '\\ \\="hides-2', "hides-3"]
    batch = scored_batch(3, sensor_ids=sensors, model="hides")
    n = len(front.requests)
    assert InfluxSink(settings(front.url)).write([batch]) == []
    points = real.query("SELECT score, model, sensor_id FROM anomaly_score")
    assert {p["sensor_id"] for p in points if p["model"] == "hides"} == set(sensors)
    assert len(front.requests) - n == 2


@pytest.mark.parametrize(
    ("wrong", "named"),
    [({"token": "other"}, "INFLUXDB_TOKEN"), ({"bucket": "nowhere"}, "INFLUXDB_BUCKET")],
    ids=["token", "bucket"],
)
def test_a_real_server_refuses_a_wrong_setting(
    front: HttpDouble, wrong: dict[str, str], named: str
) -> None:
    """The message names it."""
    with pytest.raises(SinkUnavailableError, match=named):
        InfluxSink(settings(front.url, **wrong), Waits()).write([scored_batch(1)])


def test_a_real_server_takes_a_large_batch(real: RealInflux, front: HttpDouble) -> None:
    """5,000 readings in one request."""
    InfluxSink(settings(front.url)).write([scored_batch(5_000, sensor_ids=["many"] * 5_000)])
    (found,) = real.query("SELECT count(score) FROM anomaly_score WHERE sensor_id = 'many'")
    assert found["count"] == 5_000
