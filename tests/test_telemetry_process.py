"""Telemetry never delays or fails the work, and is not there where nobody asked for it."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from local.invocation import Context, RetryContext, TraceContext
from scoring.cache import ModelCache
from scoring.depths import Depths
from scoring.ledger import Ledger
from scoring.telemetry_process import Telemetry
from scoring.telemetry_settings import TelemetrySettings
from scoring.telemetry_values import Sources
from tests.deployments import deployed
from tests.event_batches import body, trigger_events
from tests.small_models import publish, small_model
from tests.telemetry_doubles import Collector, series, wait_until

ROOT = Path(__file__).parents[1]
CONTEXT: Any = Context("f", RetryContext(0, 0), trace_context=TraceContext(""))
ALL = TelemetrySettings(is_console=True, traced_share=1.0)
# A port that nothing listens on: the system refuses at once.
NOBODY = "http://127.0.0.1:9"
SCORE_ONE = """
import sys
from pathlib import Path
import function_app
from local.invocation import Context, RetryContext
from scoring.app import get_app
from tests.event_batches import body, trigger_events
function_app.score_events.build().get_user_function()(
    trigger_events([body(1)]), Context("f", RetryContext(0, 0))
)
assert get_app().delivery.ledger.totals()["scored"] == 1
print(sorted(name for name in sys.modules if name.split(".")[0] == "opentelemetry"))
"""


def telemetry(settings: TelemetrySettings, works: list[Callable[[], None]]) -> Telemetry:
    """Make telemetry whose start waits in a list."""
    cache = ModelCache(None, [], 60, time.monotonic)  # type: ignore[arg-type]  # never asked
    sources = Sources(Ledger(), cache, Depths(), lambda: datetime.now(UTC))
    return Telemetry(settings, "instance", sources, works.append)


def test_nothing_is_imported_where_nothing_is_set(tmp_path: Path) -> None:
    """Whoever wants no telemetry pays neither time nor memory for it."""
    with deployed(tmp_path) as deployment:
        publish(deployment.models, small_model())
    environ = {"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, "-c", SCORE_ONE],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == "[]\n"


def test_a_process_that_ends_at_once_tells_what_it_did(tmp_path: Path) -> None:
    """It waits for the start, sends what there is, and does not hang."""
    with deployed(tmp_path) as deployment:
        publish(deployment.models, small_model())
    environ = {"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    with Collector().running() as collector:
        environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url
        environ["OTEL_RESOURCE_ATTRIBUTES"] = "deployment.environment.name=test"
        command = [sys.executable, "-c", SCORE_ONE]
        subprocess.run(command, cwd=ROOT, env=environ, check=True, timeout=60)
        assert collector.sums()[series("scoring_received_total")] == 1
        assert collector.resource()["deployment.environment.name"] == "test"


def test_it_starts_once_the_first_invocation_is_over() -> None:
    """And once only: a cold start has other things to do."""
    works: list[Callable[[], None]] = []
    watched = telemetry(ALL, works)
    with watched.invocation("score_events", CONTEXT):
        assert works == []
    assert len(works) == 1
    with watched.invocation("score_events", CONTEXT):
        pass
    assert len(works) == 1


def test_it_never_starts_where_nothing_is_set() -> None:
    """Not even a thread."""
    works: list[Callable[[], None]] = []
    with telemetry(TelemetrySettings(), works).invocation("score", CONTEXT):
        pass
    assert works == []


def test_spans_of_before_the_start_are_sent_after_it() -> None:
    """The first batches are those that somebody asks about."""
    with Collector().running() as collector:
        works: list[Callable[[], None]] = []
        watched = telemetry(TelemetrySettings(otlp_endpoint=collector.url, traced_share=1), works)
        for _ in range(3):
            with watched.invocation("score_events", None):
                pass
        works[0]()
        with watched.invocation("score", None):
            pass
        watched.stop()
        names = [span.name for span in collector.spans()]
    assert sorted(names) == ["score", *["score_events"] * 3]


def fail(watched: Telemetry) -> None:
    """Invoke what fails."""
    with watched.invocation("score_events", None) as known:
        known["scoring.partition"] = "7"
        raise ValueError("no good")


def test_a_failure_is_traced_whatever_the_share_and_raised_as_it_is() -> None:
    """With class and text; the host logs the stack."""
    with Collector().running() as collector:
        works: list[Callable[[], None]] = []
        settings = TelemetrySettings(otlp_endpoint=collector.url, traced_share=0)
        watched = telemetry(settings, works)
        with watched.invocation("score", None):
            pass
        with pytest.raises(ValueError, match="no good"):
            fail(watched)
        works[0]()
        watched.stop()
        (span,) = collector.spans()
    assert (span.name, span.is_error, span.message) == ("score_events", True, "no good")
    assert span.attributes == {"error.type": "ValueError", "scoring.partition": "7"}


def test_a_dead_collector_costs_a_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Batches are scored, however often an export fails; the end of the process is not held up."""
    told = {"OTEL_EXPORTER_OTLP_ENDPOINT": NOBODY, "OTEL_METRIC_EXPORT_INTERVAL": "100"}
    with deployed(tmp_path, **told) as deployment:
        publish(deployment.models, small_model())
        for first in range(20):
            deployment.app.score_events(trigger_events([body(first)], first=first))
        wait_until(lambda: "telemetry is not sent" in caplog.text, "the failure is not told")
        # pytest listens to the libraries' own loggers too, which lead nowhere else
        said = [record for record in caplog.records if record.name.startswith("scoring.")]
        warnings = [one.getMessage() for one in said if one.levelno >= logging.WARNING]
        began = time.monotonic()
        deployment.app.telemetry.stop()
        assert time.monotonic() - began < 8  # 2.5 s each for metrics and spans
        assert deployment.app.delivery.ledger.totals()["scored"] == 20
    assert len(warnings) <= 4  # metrics and spans: that a try failed, and that the last one did
    assert all("scoring goes on" in one for one in warnings)


def test_a_library_that_is_missing_costs_an_error_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Scoring does without it."""
    works: list[Callable[[], None]] = []
    watched = telemetry(ALL, works)
    monkeypatch.setitem(sys.modules, "scoring.telemetry_export", None)
    with watched.invocation("score", None):
        pass
    works[0]()
    assert "telemetry cannot be sent; scoring goes on" in caplog.text
    with watched.invocation("score", None):
        pass


def test_the_console_gets_a_line_a_value(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Readable as it stands; what did not move is left out."""
    caplog.set_level("INFO", "scoring.telemetry")
    told = {"TELEMETRY_CONSOLE": "true", "OTEL_TRACES_SAMPLER_ARG": "1"}
    with deployed(tmp_path, **told, OTEL_METRIC_EXPORT_INTERVAL="100") as deployment:
        publish(deployment.models, small_model())
        deployment.app.score_events(trigger_events([body(i) for i in range(7)]))
        wait_until(lambda: "span score_events" in caplog.text, "nothing is printed")
        wait_until(lambda: "scoring_scored_total" in caplog.text, "no metric is printed")
    lines = [r.getMessage() for r in caplog.records if r.name == "scoring.telemetry"]
    assert lines.count("scoring_scored_total{model=default} 7") == 1
    assert lines.count("scoring_model_refused{model=default} 0") >= 1
    assert not any(line.startswith("scoring_collided_total") for line in lines)
    assert any(line.startswith("scoring_stage_seconds{stage=whole} 1 x ") for line in lines)
