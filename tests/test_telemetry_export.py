"""Telemetry of the whole app, read back from a collector: it says what is true."""

import json
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from local.app_process import AppProcess, running_app
from local.log import EventLog, LogEvent, log_path
from scoring.dead_letters import DeadLetters
from scoring.registry import Registry
from scoring.spill import CONTAINER, Spill
from scoring.storage import FolderStorage
from scoring.telemetry import METRICS
from scoring.version import VERSION
from tests.http_double import Answer, HttpDouble, Request
from tests.small_models import FEATURES, normal_readings, publish_broken, small_model
from tests.telemetry_doubles import Collector, Span, series, wait_until

N_READINGS = 3_000
_HUB = "sensor-features"
_TRACE = "0af7651916cd43dd8448eb211c80319c"
_PARENT = "b7ad6b7169203331"
BAD = {7: b"not JSON", 8: b"", 9: b'{"sensor_id": "pump-1"}', 10: b"not JSON either"}
REASONS = {"invalid_json": 2, "empty_body": 1, "missing_feature": 1}


def bodies() -> list[bytes]:
    """Make good readings, anomalies among them, and a few bad ones."""
    rows = normal_readings(N_READINGS, seed=5)
    rows[::50] += 40.0
    now_ms = time.time_ns() // 1_000_000
    readings = [
        {
            "sensor_id": "pump-1",
            "timestamp": now_ms + number,
            **dict(zip(FEATURES, row, strict=True)),
        }
        for number, row in enumerate(rows.tolist())
    ]
    found = [json.dumps(reading).encode() for reading in readings]
    for number, body in BAD.items():
        found[number] = body
    return found


@dataclass
class Store:
    """A store that is down until it is told otherwise, and refuses some readings for ever."""

    is_up: bool = False
    n_failed: int = 0
    n_anomalies: int = 0

    def answer(self, request: Request) -> Answer:
        """Take the lines, or fail."""
        if not self.is_up:
            self.n_failed += 1
            return Answer(404)  # not worth a second try, so that it spills at once
        self.n_anomalies += request.text.count("is_anomaly=true")
        return Answer()


@dataclass(frozen=True, slots=True)
class Told:
    """What the app told, and what is true."""

    collector: Collector
    store: Store
    waited: list[int]
    letters: int


def environment(folder: Path, store: str, collector: str) -> dict[str, str]:
    """Set everything up to send often, and to trace all."""
    return {
        "DATA_DIR": str(folder),
        "INFLUXDB_URL": store,
        "INFLUXDB_ORG": "o",
        "INFLUXDB_BUCKET": "b",
        "INFLUXDB_TOKEN": "t",
        "SPILL_DRAIN_SCHEDULE": "* * * * * *",
        "MODEL_RELOAD_SCHEDULE": "* * * * * *",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector,
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta",
        "OTEL_METRIC_EXPORT_INTERVAL": "500",
        "OTEL_TRACES_SAMPLER_ARG": "1",
        "OTEL_SERVICE_NAME": "plant-7",
    }


def post_score(app: AppProcess) -> None:
    """Ask for a score as a part of somebody's trace."""
    reading = {"sensor_id": "a", **dict(zip(FEATURES, normal_readings(1)[0], strict=True))}
    headers = {"traceparent": f"00-{_TRACE}-{_PARENT}-01"}
    url = f"{app.url}/api/score"
    request = urllib.request.Request(url, json.dumps(reading).encode(), headers)
    urllib.request.urlopen(request, timeout=30).close()


def has_risen(collector: Collector, name: str, **attributes: str) -> bool:
    """Tell whether a gauge was above zero."""
    return any(collector.gauges().get(series(name, **attributes), ()))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Run the app through good and bad readings, an outage of its store, and a bad model."""
    folder = tmp_path_factory.mktemp("told")
    models = FolderStorage(folder).container("models")
    artifact = small_model()
    Registry(models).publish(artifact.manifest, artifact.data)
    spill = Spill(FolderStorage(folder).container(CONTAINER), 1_000, lambda: None)  # type: ignore[arg-type,return-value]  # only read from
    store = Store()
    with (
        Collector().running() as collector,
        HttpDouble(store.answer).running() as server,
        EventLog(log_path(folder, _HUB), 1) as log,
    ):
        settings = environment(folder, server.url, collector.url)
        log.append(LogEvent(body, "pump-1") for body in bodies())
        with running_app(settings, folder / "app.log", port=0) as app:
            wait_until(lambda: not log.backlog("$Default"), "the events are not done")
            waited = [len(one.sensor_ids) for _, one in spill.waiting("influxdb")]
            depth = series("scoring_spill_batches", sink="influxdb")
            wait_until(lambda: len(waited) in collector.gauges().get(depth, ()), "no depth told")
            wait_until(lambda: has_risen(collector, "scoring_dead_letters"), "no letters told")
            store.is_up = True
            wait_until(lambda: not any(spill.waiting("influxdb")), "the spill is not drained")
            post_score(app)
            publish_broken(models)
            refused = "scoring_model_refused"
            wait_until(lambda: has_risen(collector, refused, model="default"), "no refusal told")
        letters = len(list(DeadLetters(FolderStorage(folder).container("dead-letter")).read()))
        yield Told(collector, store, waited, letters)


def test_every_reading_is_counted_once(told: Told) -> None:
    """Received are scored or rejected, by reason; none is unaccounted for."""
    sums = told.collector.sums()
    n_good = N_READINGS - len(BAD)
    assert sums[series("scoring_received_total")] == N_READINGS
    assert sums[series("scoring_scored_total", model="default")] == n_good
    for reason, n in REASONS.items():
        assert sums[series("scoring_rejected_total", reason=reason)] == n
    assert told.letters == len(BAD)
    for name in ("held", "collided", "unaccounted"):
        assert sums[series(f"scoring_{name}_total")] == 0


def test_each_store_tells_what_became_of_the_scored(told: Told) -> None:
    """All was spilled while the store was down, and is drained; each failed write counts."""
    sums = told.collector.sums()
    n_good = N_READINGS - len(BAD)
    assert sum(told.waited) == n_good
    assert sums[series("scoring_spilled_total", sink="influxdb")] == n_good
    assert sums[series("scoring_drained_total", sink="influxdb")] == n_good
    assert sums[series("scoring_written_total", sink="influxdb")] == 0
    assert sums[series("scoring_refused_total", sink="influxdb")] == 0
    assert sums[series("scoring_sink_failures_total", sink="influxdb")] == told.store.n_failed > 1


def test_anomalies_are_those_that_the_store_got(told: Told) -> None:
    """No more and no fewer."""
    n = told.collector.sums()[series("scoring_anomalies_total", model="default")]
    assert n == told.store.n_anomalies >= N_READINGS // 50 - 1


def test_batches_and_stages_are_counted_alike(told: Told) -> None:
    """Each batch goes through every stage, and has a span."""
    sums, stages = told.collector.sums(), Counter[str]()
    n_batches = sums[series("scoring_batches_total", outcome="done")]
    for n, stage in told.collector.histograms("scoring_stage_seconds"):
        stages[stage] += n
    assert n_batches >= N_READINGS / 1_000
    assert stages == dict.fromkeys(("decode", "score", "store", "whole"), n_batches)
    assert len(_spans(told, "score_events")) == n_batches


def test_timers_tell_their_runs(told: Told) -> None:
    """Both ran, and none failed."""
    sums = told.collector.sums()
    for timer in ("reload_models", "drain_spill"):
        assert sums[series("scoring_timer_runs_total", timer=timer, outcome="ok")] > 0
        assert sums[series("scoring_timer_runs_total", timer=timer, outcome="failed")] == 0


def test_the_depths_rise_and_fall(told: Told) -> None:
    """What waited while the store was down, and that nothing does at the end."""
    gauges = told.collector.gauges()
    batches = gauges[series("scoring_spill_batches", sink="influxdb")]
    assert max(batches) == len(told.waited)
    assert max(gauges[series("scoring_spill_bytes", sink="influxdb")]) > 100 * N_READINGS
    assert 0 < max(gauges[series("scoring_spill_age_seconds", sink="influxdb")]) < 60
    assert gauges[series("scoring_dead_letters")][-1] >= 1
    for what in ("bytes", "batches", "age_seconds"):
        assert gauges[series(f"scoring_spill_{what}", sink="influxdb")][-1] == 0


def test_lag_and_drift_are_told_of_what_was_scored(told: Told) -> None:
    """Quantiles in order, of seconds; 2 % of readings far away are no drift worth a look."""
    gauges = told.collector.gauges()
    lags = [gauges[series("scoring_lag_seconds", quantile=q)] for q in ("0.5", "0.95", "0.99")]
    assert all(0 < p50 <= p95 <= p99 < 120 for p50, p95, p99 in zip(*lags, strict=True))
    drift = gauges[series("scoring_score_drift", model="default")]
    assert all(0 <= index < 0.25 for index in drift)


def test_a_refused_version_is_told_and_the_one_in_use_named(told: Told) -> None:
    """The gauge goes from 0 to 1, and the age is that of the version that scores."""
    gauges = told.collector.gauges()
    refused = gauges[series("scoring_model_refused", model="default")]
    assert (refused[0], refused[-1]) == (0, 1)
    assert set(gauges[series("scoring_model_stale", model="default")]) == {0}
    ages = [one for name, one in gauges if name == "scoring_model_age_seconds"]
    version = small_model().manifest.version
    assert ages == [frozenset({("model", "default"), ("model_version", version)})]


def _spans(told: Told, name: str) -> list[Span]:
    return [span for span in told.collector.spans() if span.name == name]


def test_a_span_of_a_batch_says_what_became_of_it(told: Told) -> None:
    """Partition, counts and model version; together they are all that arrived."""
    spans = _spans(told, "score_events")
    assert {span.attributes["scoring.partition"] for span in spans} == {"0"}
    assert sum(span.attributes["scoring.received"] for span in spans) == N_READINGS
    versions = spans[0].attributes["scoring.model_versions"].values[0].string_value
    assert versions == f"default@{small_model().manifest.version}"
    assert not any(span.is_error for span in spans)
    assert all(span.seconds > 0 for span in spans)
    assert all(span.attributes["faas.invocation_id"] for span in spans)


def test_a_span_is_the_child_of_whoever_called(told: Told) -> None:
    """The host names trace and parent; without them the span begins a trace of its own."""
    (span,) = _spans(told, "score")
    assert (span.trace_id, span.parent_id) == (_TRACE, _PARENT)
    assert span.attributes["scoring.status"] == 200
    assert {one.parent_id for one in _spans(told, "score_events")} == {""}


def test_only_known_names_leave_and_with_their_units(told: Told) -> None:
    """Every name and unit stands in the one table, and each kind of span in the other."""
    units = told.collector.units()
    assert units == {name: METRICS[name].unit for name in units}
    assert set(METRICS) == set(units)
    for name, attributes in told.collector.sums():
        assert {key for key, _ in attributes} == set(METRICS[name].attributes)
    found = {span.name for span in told.collector.spans()}
    assert found == {"score_events", "reload_models", "drain_spill", "score"}


def test_the_sender_is_named(told: Told) -> None:
    """Service, version and process."""
    resource = told.collector.resource()
    assert (resource["service.name"], resource["service.version"]) == ("plant-7", VERSION)
    assert resource["service.instance.id"].rpartition("-")[2].isdigit()


def test_an_export_is_small(told: Told) -> None:
    """Some forty values a process, whatever it scores: no flood."""
    exports = told.collector.posted("/v1/metrics")
    assert told.collector.n_points() / len(exports) < 45
    assert np.median([len(body) for body in exports]) < 10_000
