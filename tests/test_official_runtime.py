"""Tests of the package in Microsoft's own runtime library, as Azure indexes and calls it.

The app is the zip that is deployed, unpacked, and runs with the deployed requirements alone.
"""

import base64
import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import pytest

from local.lone_environment import LoneEnvironment, lone_environment
from tests.deployed_files import ROOT, deploy
from tests.deployments import Deployment, deployed
from tests.event_batches import body, trigger_metadata
from tests.small_models import publish, small_model
from tests.telemetry_doubles import Collector, wait_until

# The first test waits while the requirements are installed, once for each content of theirs.
pytestmark = pytest.mark.timeout(600)


class Runtime:
    """The process that runs the app; see `official_runtime`."""

    def __init__(
        self, alone: LoneEnvironment, folder: Path, data_dir: Path, **environ: str
    ) -> None:
        keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        script = Path(__file__).with_name("official_runtime.py")
        self.process = subprocess.Popen(
            [str(alone.python), str(script), str(folder), str(alone.runtime)],
            cwd=folder,
            env=keep | {"DATA_DIR": str(data_dir), "MODEL_REFRESH_SECONDS": "0.1"} | environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._in: IO[str] = self.process.stdin  # type: ignore[assignment]  # piped above
        self._out: IO[str] = self.process.stdout  # type: ignore[assignment]  # the same
        self.functions: dict[str, Any] = self._read()

    def _read(self) -> dict[str, Any]:
        line = self._out.readline()
        assert line, "the runtime process ended; its errors are above"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def invoke(self, function: str, **data: object) -> dict[str, Any]:
        """Invoke a function and wait for what comes of it."""
        print(json.dumps({"function": function} | data), file=self._in, flush=True)
        return self._read()

    def score_events(
        self, bodies: Sequence[bytes], first: int = 0, **data: object
    ) -> dict[str, Any]:
        """Invoke the Event Hubs function with a binary batch and the host's metadata."""
        encoded = [base64.b64encode(one).decode() for one in bodies]
        metadata = trigger_metadata(len(bodies), first=first)
        return self.invoke("score_events", bodies=encoded, metadata=metadata, **data)

    def http(self, function: str, method: str, **parts: object) -> tuple[int, Any]:
        """Invoke an HTTP function; returns status and document."""
        request = {"method": method, "url": f"http://localhost/api/{function}"} | parts
        answer = self.invoke(function, http=request)
        assert answer["status"] == "Success", answer["error"]
        assert answer["http_type"].startswith("application/json")
        return int(answer["http_status"]), json.loads(answer["http_body"])

    def close(self) -> None:
        """End the process."""
        self._in.close()
        self._out.close()
        self.process.wait(30)


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Publish a model where the app will look for it, and read what the app leaves there."""
    with deployed(tmp_path_factory.mktemp("data")) as deployment:
        yield deployment


@pytest.fixture(scope="module")
def alone() -> LoneEnvironment:
    """Install what is deployed, and nothing that only tests or tools need."""
    return lone_environment(ROOT)


@pytest.fixture(scope="module")
def runtime(
    alone: LoneEnvironment, deployment: Deployment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Runtime]:
    """Run the unpacked zip in a folder of its own."""
    app = deploy(tmp_path_factory.mktemp("app"))
    runtime = Runtime(alone, app, deployment.data_dir)
    yield runtime
    runtime.close()


@pytest.fixture(scope="module")
def before(runtime: Runtime) -> tuple[dict[str, Any], tuple[int, Any]]:
    """Return what a batch and health come to before the first publication."""
    return runtime.score_events([body(0)]), runtime.http("health", "GET")


@pytest.fixture(scope="module")
def ready(runtime: Runtime, deployment: Deployment, before: object) -> Runtime:
    """Publish a model, and send the same batch again until it is scored."""
    publish(deployment.models, small_model())
    deadline = time.monotonic() + 30
    while runtime.score_events([body(0)])["status"] != "Success":
        assert time.monotonic() < deadline, "the model was not found"
        time.sleep(0.05)
    return runtime


def trigger(runtime: Runtime, function: str) -> dict[str, Any]:
    """Return what the host gets to know about a function's trigger."""
    first: dict[str, Any] = runtime.functions[function]["bindings"][0]
    return first


def test_the_environment_holds_the_deployed_requirements_alone(alone: LoneEnvironment) -> None:
    """A library of tests or tools that the app came to need would be missing on Azure."""
    missing = "import importlib.util as u; print([n for n in {} if not u.find_spec(n)])"
    names = ["sklearn", "pytest", "rich", "polars", "croniter", "pip"]
    found = subprocess.run(
        [str(alone.python), "-c", missing.format(names)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == "['pytest', 'rich', 'polars', 'croniter', 'pip']"


def test_the_library_finds_the_functions(runtime: Runtime) -> None:
    """By the names that the settings and the docs use."""
    assert list(runtime.functions) == [
        "score_events",
        "reload_models",
        "drain_spill",
        "score",
        "health",
    ]


def test_events_come_in_batches_of_bytes(runtime: Runtime) -> None:
    """Many at once and binary: one bad body then costs none of its neighbours."""
    assert trigger(runtime, "score_events") == {
        "direction": "IN",
        "type": "eventHubTrigger",
        "name": "events",
        "eventHubName": "%EVENT_HUB_NAME%",
        "connection": "EventHubConnection",
        "consumerGroup": "%EVENT_HUB_CONSUMER_GROUP%",
        "cardinality": "MANY",
        "dataType": "BINARY",
    }


def test_a_batch_that_raises_is_kept_for_ever(runtime: Runtime) -> None:
    """Exponential backoff from a second to a minute; -1 is no limit. Nothing else is retried."""
    assert runtime.functions["score_events"]["retry"] == {
        "max_retry_count": -1,
        "strategy": "exponential_backoff",
        "minimum_s": 1,
        "maximum_s": 60,
    }
    others = ("reload_models", "score", "health")
    assert [runtime.functions[name]["retry"] for name in others] == [None] * 3


def test_the_timer_has_the_schedule_of_the_settings(runtime: Runtime) -> None:
    """Not at each start: a start refreshes on the data path anyway."""
    found = trigger(runtime, "reload_models")
    assert (found["type"], found["schedule"]) == ("timerTrigger", "%MODEL_RELOAD_SCHEDULE%")
    assert found["runOnStartup"] is False


@pytest.mark.parametrize(
    ("function", "method", "level"), [("score", "POST", "FUNCTION"), ("health", "GET", "ANONYMOUS")]
)
def test_a_route_has_its_method_and_its_key(
    runtime: Runtime, function: str, method: str, level: str
) -> None:
    """Anyone may ask for health; scoring takes the function key."""
    found = trigger(runtime, function)
    assert (found["route"], found["methods"], found["authLevel"]) == (function, [method], level)


def test_before_the_first_model_a_batch_is_kept_and_health_says_so(
    before: tuple[dict[str, Any], tuple[int, Any]],
) -> None:
    """A failure that the retry policy answers, and what helps."""
    answer, (status, found) = before
    assert answer["status"] == "Failure"
    assert "python -m training publish" in answer["error"]
    assert (status, found["status"]) == (503, "unavailable")


def test_a_batch_of_1000_good_bad_and_empty_bodies(ready: Runtime, deployment: Deployment) -> None:
    """Good ones are rows, the others dead letters with their exact bytes; none is lost."""
    bad = {3: b"", 500: b"\xff\xfe", 501: b"{oops", 999: body(999, vibration=True)}
    bodies = [bad.get(i, body(i)) for i in range(1_000)]
    answer = ready.score_events(bodies)
    assert (answer["status"], answer["error"]) == ("Success", "")
    rows = Counter(row["sequence_number"] for row in deployment.rows())
    assert rows == Counter(i for i in range(1_000) if i not in bad)
    assert {row["partition"] for row in deployment.rows()} == {"0"}


def test_the_bad_bodies_of_that_batch_are_dead_letters(
    ready: Runtime, deployment: Deployment
) -> None:
    """Delivered once more first: neither a row nor a letter is added."""
    bodies = [b"", b"\xff\xfe", b"{oops", body(999, vibration=True)]
    for _ in range(2):
        assert ready.score_events(bodies, first=2_000)["status"] == "Success"
    folder = deployment.data_dir / "dead-letter" / "readings" / "0"
    lines = [line for file in folder.glob("*.ndjson") for line in file.read_text().splitlines()]
    letters = [letter for letter in map(json.loads, lines) if letter["sequence_number"] >= 2_000]
    assert {letter["sequence_number"]: letter["reason"] for letter in letters} == {
        2_000: "empty_body",
        2_001: "not_utf8",
        2_002: "invalid_json",
        2_003: "feature_not_a_number",
    }
    assert len(letters) == 4


def test_the_timer_is_invoked(ready: Runtime) -> None:
    """With what the host sends for a schedule."""
    sent = {"IsPastDue": False, "ScheduleStatus": None, "Schedule": {"AdjustForDST": True}}
    answer = ready.invoke("reload_models", json=sent)
    assert (answer["status"], answer["error"]) == ("Success", "")


def test_the_score_route_answers(ready: Runtime) -> None:
    """Scored and rejected ones; a parameter picks the model; nothing good is 422."""
    request = (body(1) + b"\nnonsense").decode()
    status, found = ready.http("score", "POST", body=request, query={"model": "default"})
    assert status == 200
    assert [len(found["scored"]), len(found["rejected"])] == [1, 1]
    assert found["model_version"] == small_model().manifest.version
    assert ready.http("score", "POST", body="nonsense")[0] == 422
    assert ready.http("score", "POST", body="{}", query={"model": "other"})[0] == 404


def test_the_health_route_answers(ready: Runtime) -> None:
    """With a model: 200, naming its version; the held batches before it are still told."""
    status, found = ready.http("health", "GET")
    assert (status, found["parts"]["model:default"]["state"]) == (200, "ok")
    assert found["parts"]["model:default"]["version"] == small_model().manifest.version


def test_a_span_is_the_child_of_the_invocation(alone: LoneEnvironment, tmp_path: Path) -> None:
    """The host's trace goes through its messages, the library and our functions."""
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    with deployed(tmp_path / "data") as own, Collector().running() as collector:
        publish(own.models, small_model())
        runtime = Runtime(
            alone,
            deploy(tmp_path / "app"),
            tmp_path / "data",
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            OTEL_TRACES_SAMPLER_ARG="1",
            OTEL_METRIC_EXPORT_INTERVAL="100",
        )
        try:
            runtime.score_events([body(1)], trace_parent=f"00-{trace}-{parent}-00")
            wait_until(lambda: bool(collector.spans()), "no span is sent")
        finally:
            runtime.close()
        (span,) = collector.spans()
    assert (span.name, span.trace_id, span.parent_id) == ("score_events", trace, parent)
