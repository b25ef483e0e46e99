"""Tests of .funcignore, host.json and requirements.txt: what is deployed."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from local.deployed_files import deployed_files
from scoring.telemetry import SPANS
from tests.deployed_files import ROOT

ALWAYS = {"function_app.py", "host.json", "requirements.txt"}


def project_files() -> set[str]:
    """List what belongs to the project; a user's own files beside it do not."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        listed = subprocess.run(
            ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        return set(listed.stdout.splitlines())
    return set(deployed_files(ROOT))


def test_exactly_the_app_is_deployed() -> None:
    """The entry file, its two companions and the scoring package, without caches."""
    code = {path.relative_to(ROOT).as_posix() for path in (ROOT / "scoring").rglob("*.py")}
    deployed = set(deployed_files(ROOT))
    assert code | ALWAYS <= deployed
    assert (deployed & project_files()) - code == ALWAYS


@pytest.mark.parametrize(
    "path",
    [
        "local.settings.json",
        "scoring/__pycache__/app.cpython-311.pyc",
        ".local/scores.sqlite",
        ".venv/bin/python",
        "tests/test_app.py",
        "requirements-dev.txt",
        "docs/contracts.md",
        ".env",
        ".azure/plant/.env",
        "recording.csv",
        "recording.parquet",
        "iforest_final.joblib",
        "model.pkl",
        "folder/model.skops",
        "anomaly-scorer.zip",
        "simulated/test.csv",
    ],
)
def test_what_stays_here_is_left_out(tmp_path: Path, path: str) -> None:
    """Secrets, caches, data and everything that only a laptop needs."""
    shutil.copy(ROOT / ".funcignore", tmp_path)
    for name in (path, "function_app.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert set(deployed_files(tmp_path)) == {"function_app.py"}


def test_every_name_that_stays_here_is_listed_once() -> None:
    """Two lists that were merged are one again."""
    lines = (ROOT / ".funcignore").read_text("utf-8").splitlines()
    assert len(lines) == len(set(lines))


def test_every_requirement_is_pinned_and_says_why() -> None:
    """An exact version each; `azure-functions` follows the Python version."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w-]+==[\w.]+(; python_version [^#]+)? +# .+", p) for p in pins)
    functions = [pin.split("#")[0].strip() for pin in pins if pin.startswith("azure-functions")]
    assert functions == [
        'azure-functions==1.26.0; python_version < "3.13"',
        'azure-functions==2.3.0; python_version >= "3.13"',
    ]


def test_joblib_is_one_that_runs_nothing_from_object_arrays() -> None:
    """Before 1.6.0 an object array in a model file could run code."""
    found = re.search(
        r"^joblib==(\d+)\.(\d+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE
    )
    assert found is not None
    assert (int(found[1]), int(found[2])) >= (1, 6)


def test_the_host_takes_whole_batches_and_checkpoints_each() -> None:
    """A batch is large enough to pay off, prefetched twice over, and never scored for nothing."""
    host = json.loads((ROOT / "host.json").read_text())
    hubs = host["extensions"]["eventHubs"]
    assert hubs["maxEventBatchSize"] == 1_000
    assert hubs["prefetchCount"] >= 2 * hubs["maxEventBatchSize"]
    assert hubs["batchCheckpointFrequency"] == 1
    assert hubs["initialOffsetOptions"] == {"type": "fromStart"}
    assert (host["version"], host["extensionBundle"]["version"]) == ("2.0", "[4.*, 5.0.0)")


def test_logs_are_bounded_and_keep_what_the_app_says() -> None:
    """The host's lines about each execution stay away; the app's own are sampled, errors not."""
    host = json.loads((ROOT / "host.json").read_text())
    sampling = host["logging"]["applicationInsights"]["samplingSettings"]
    assert (sampling["isEnabled"], sampling["excludedTypes"]) == (True, "Exception")
    levels = host["logging"]["logLevel"]
    assert levels["Function"] == "Warning"
    own = {name for name, level in levels.items() if name.endswith(".User")}
    assert own == {f"Function.{name}.User" for name in SPANS}
    assert {levels[name] for name in own} == {"Information"}
