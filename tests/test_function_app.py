"""Tests of function_app: indexing is quick and cannot fail, whatever the settings are."""

import ast
import importlib.util
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

from local.invocation import Context, RetryContext
from scoring import app as scoring_app
from scoring.settings import SETTINGS
from tests.event_batches import body, trigger_events
from tests.small_models import publish, small_model

ROOT = Path(__file__).parents[1]
Call = Callable[..., Any]
CONTEXT = Context("any", RetryContext(0, 0))
# Of a second each, or more: what they cost a cold start belongs behind the first use.
HEAVY = [
    "sklearn",
    "scipy",
    "numpy",
    "influxdb_client",
    "azure.storage",
    "azure.identity",
    "opentelemetry",
    "scoring.app",
    "scoring.pipeline",
]
PROBE = """
import json, socket, sys
def refuse(*_):
    raise AssertionError("the import touched the network")
socket.socket.connect = socket.getaddrinfo = refuse
import function_app
names = [f.get_function_name() for f in function_app.app.get_functions()]
print(json.dumps({"names": names, "modules": sorted(sys.modules)}))
"""


def index(**environ: str) -> dict[str, Any]:
    """Import the app in a process of its own, and tell what came of it."""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROBE],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]} | environ,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


BROKEN = {
    "WEBSITE_INSTANCE_ID": "0123",
    "MODEL_REFRESH_SECONDS": "soon",
    "MISSING_FEATURES": "guess",
    "MODEL_NAME": "../other",
    "INFLUXDB_URL": "not-an-address",
}


@pytest.mark.parametrize("environ", [{}, BROKEN], ids=["no settings", "broken settings"])
def test_indexing_works_without_looking_at_settings(environ: dict[str, str]) -> None:
    """Every function is found; health can then say what is wrong."""
    found = index(**environ)
    assert found["names"] == ["score_events", "reload_models", "drain_spill", "score", "health"]


def test_importing_loads_nothing_heavy() -> None:
    """Neither NumPy nor a client of a store; of our own modules what decoding stands on."""
    modules = index()["modules"]
    loaded = [m for m in modules if any(m == h or m.startswith(f"{h}.") for h in HEAVY)]
    assert loaded == []
    ours = {m.removeprefix("scoring.") for m in modules if m.startswith("scoring.")}
    assert ours == {"decoding", "event_batch", "event_time", "errors"}


def test_a_function_is_a_few_lines() -> None:
    """All work is in `scoring`."""
    tree = ast.parse((ROOT / "function_app.py").read_text())
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    lines = {f.name: f.body[-1].end_lineno - f.body[0].end_lineno for f in functions}  # type: ignore[operator]  # parsed from a file
    assert max(lines.values()) <= 7, lines


@pytest.fixture(scope="module")
def call() -> Call:
    """Return what calls a function by its name, as the worker does.

    The app is imported under a name of its own: azure-functions lists an app's functions only
    once, and other tests list those of theirs.
    """
    spec = importlib.util.spec_from_file_location("shipped_app", ROOT / "function_app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    functions = {f.get_function_name(): f.get_user_function() for f in module.app.get_functions()}

    def call(name: str, *arguments: Any) -> Any:
        function = functions[name]
        asks = "context" in inspect.signature(function).parameters
        return function(*arguments, **({"context": CONTEXT} if asks else {}))

    return call


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Give the process's one app a folder of its own, and forget it afterwards."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setattr(scoring_app, "_app", None)
    return monkeypatch


def post(call: Call, data: bytes, **params: str) -> func.HttpResponse:
    """Post readings to the score route."""
    request = func.HttpRequest(method="POST", url="/api/score", params=params, body=data)
    response: func.HttpResponse = call("score", request)
    return response


def get_health(call: Call) -> tuple[int, dict[str, Any]]:
    """Ask the health route."""
    request = func.HttpRequest(method="GET", url="/api/health", body=b"")
    response = call("health", request)
    assert response.mimetype == "application/json"
    return response.status_code, json.loads(response.get_body())


def test_bad_settings_are_all_told_by_health(environ: pytest.MonkeyPatch, call: Call) -> None:
    """503, one sentence a problem with what to set, and no value of a setting."""
    for name, value in BROKEN.items():
        environ.setenv(name, value)
    status, found = get_health(call)
    problems = found["parts"]["settings"]["problems"]
    assert (status, found["status"]) == (503, "unavailable")
    for name in ("MODEL_REFRESH_SECONDS", "MISSING_FEATURES", "MODEL_NAME", "INFLUXDB_URL",
                 "INFLUXDB_TOKEN", "STORAGE_ACCOUNT_NAME"):  # fmt: skip
        assert any(problem.startswith(f"{name}: ") for problem in problems), name
    assert not any(value in " ".join(problems) for value in BROKEN.values())


def test_bad_settings_answer_a_request_and_keep_a_batch(
    environ: pytest.MonkeyPatch, call: Call
) -> None:
    """503 with the list; the batch raises, so that its retry policy holds it."""
    environ.setenv("MISSING_FEATURES", "guess")
    response = post(call, body(1))
    error = json.loads(response.get_body())["error"]
    assert (response.status_code, error["code"]) == (503, "bad_settings")
    assert [detail.split(":")[0] for detail in error["details"]] == ["MISSING_FEATURES"]
    with pytest.raises(Exception, match="MISSING_FEATURES"):
        call("score_events", trigger_events([body(1)]))


def test_settings_that_were_mended_are_read_again(
    environ: pytest.MonkeyPatch, call: Call, tmp_path: Path
) -> None:
    """Without a restart: the batch that was kept is then scored."""
    environ.setenv("MISSING_FEATURES", "guess")
    batch = trigger_events([body(1), b"nonsense"])
    with pytest.raises(Exception, match="MISSING_FEATURES"):
        call("score_events", batch)
    environ.delenv("MISSING_FEATURES")
    with pytest.raises(Exception, match="python -m training publish"):
        call("score_events", batch)
    delivery = scoring_app.get_app().delivery
    publish(_models(tmp_path), small_model())
    delivery.cache.refresh()
    call("score_events", batch)
    assert delivery.ledger.totals()["scored"] == 1
    _close(delivery)


def test_every_function_works_once_there_is_a_model(
    environ: pytest.MonkeyPatch, call: Call, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A batch, the timer, and both routes."""
    caplog.set_level("INFO")
    publish(_models(tmp_path), small_model())
    call("score_events", trigger_events([body(i) for i in range(10)]))
    call("reload_models", None)
    response = post(call, body(1), model="default")
    assert response.status_code == 200
    assert response.mimetype == "application/json"
    assert len(json.loads(response.get_body())["scored"]) == 1
    status, found = get_health(call)
    assert (status, found["parts"]["scoring"]["counts"]["scored"]) == (200, 10)
    assert f"version {small_model().manifest.version} verified" in caplog.text
    _close(scoring_app.get_app().delivery)


def _models(data_dir: Path) -> Any:
    from scoring.storage import FolderStorage

    return FolderStorage(data_dir).container("models")


def _close(delivery: Any) -> None:
    for outlet in delivery.outlets:
        outlet.sink.close()
