"""Tests of local.start: what ``make start`` prepares for ``func``."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.azurite import Ports, answers
from local.file_lock import FileLock
from local.start import copy_example_settings, has_event_hubs, read_values
from scoring.errors import SettingsError

ROOT = Path(__file__).parents[1]
REAL = "Endpoint=sb://plant.servicebus.windows.net/;SharedAccessKeyName=x;SharedAccessKey=y"
EMULATOR = "Endpoint=sb://localhost;SharedAccessKeyName=x;UseDevelopmentEmulator=true;"


@pytest.fixture
def usual_ports() -> Iterator[None]:
    """Keep other tests off the ports that every Azurite has by default."""
    with FileLock(Path(tempfile.gettempdir()) / "azurite-usual-ports.lock", wait=True):
        yield


def start(folder: Path, path: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m local.start`` in `folder` with a PATH."""
    environment = {"PYTHONPATH": str(ROOT), "PATH": path, "HOME": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", "local.start"],
        cwd=folder,
        env=environment | variables,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def fake_func(folder: Path) -> str:
    """Make a ``func`` that writes down how it was called; return its folder."""
    script = folder / "bin" / "func"
    script.parent.mkdir()
    script.write_text(
        f"#!{sys.executable}\n"
        "import json, os, pathlib, sys\n"
        "from local.azurite import Ports, answers\n"
        "seen = {'arguments': sys.argv[1:], 'environment': dict(os.environ)}\n"
        "seen['azurite'] = answers(Ports().blob)\n"
        "pathlib.Path('seen.json').write_text(json.dumps(seen))\n"
        "sys.exit(7)\n"
    )
    script.chmod(0o755)
    return str(script.parent)


def test_without_func_it_says_how_to_get_it(tmp_path: Path) -> None:
    """Exit status 1, and nothing was started or made."""
    ended = start(tmp_path, path=str(tmp_path))
    assert ended.returncode == 1
    assert "npm install -g azure-functions-core-tools@4" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_func_runs_with_storage_and_without_its_event_hub(
    tmp_path: Path, usual_ports: None
) -> None:
    """Azurite ends with it, and its exit status is passed on."""
    already = answers(Ports().blob)
    (tmp_path / "local.settings.json.example").write_text('{"Values": {"A": "1"}}')
    ended = start(tmp_path, path=fake_func(tmp_path))
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert (ended.returncode, seen["arguments"], seen["azurite"]) == (7, ["start"], True)
    assert seen["environment"]["AzureWebJobs.score_events.Disabled"] == "true"
    assert seen["environment"]["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
    assert (tmp_path / "local.settings.json").exists()
    assert answers(Ports().blob) is already


def test_a_configured_event_hub_is_left_on(tmp_path: Path, usual_ports: None) -> None:
    """The setting may stand in local.settings.json."""
    settings = {"Values": {"EventHubConnection": REAL}}
    (tmp_path / "local.settings.json").write_text(json.dumps(settings))
    start(tmp_path, path=fake_func(tmp_path))
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert "AzureWebJobs.score_events.Disabled" not in seen["environment"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"EventHubConnection": REAL}, True),
        ({"EventHubConnection__fullyQualifiedNamespace": "p.servicebus.windows.net"}, True),
        ({"EventHubConnection": ""}, False),
        ({"EventHubConnection": "<connection string>"}, False),
        ({}, False),
    ],
    ids=["string", "namespace", "empty", "placeholder", "absent"],
)
def test_a_namespace_counts_when_it_is_set(settings: dict[str, str], expected: bool) -> None:
    """An example's placeholder is no namespace."""
    assert has_event_hubs(settings) is expected


@pytest.mark.parametrize("listens", [True, False])
def test_the_emulator_counts_while_it_answers(
    monkeypatch: pytest.MonkeyPatch, listens: bool
) -> None:
    """Its connection string alone says nothing."""
    monkeypatch.setattr("local.start._listens", lambda _port: listens)
    assert has_event_hubs({"EventHubConnection": EMULATOR}) is listens


def test_existing_settings_are_not_replaced(tmp_path: Path) -> None:
    """They may hold what the user typed."""
    (tmp_path / "local.settings.json.example").write_text("example")
    (tmp_path / "local.settings.json").write_text("mine")
    copy_example_settings(tmp_path)
    assert (tmp_path / "local.settings.json").read_text() == "mine"


@pytest.mark.parametrize("text", ["{", "[]", '{"Values": 1}'])
def test_unreadable_settings_are_named(tmp_path: Path, text: str) -> None:
    """The message shows the form."""
    (tmp_path / "local.settings.json").write_text(text)
    with pytest.raises(SettingsError, match=r"local\.settings\.json must read"):
        read_values(tmp_path)
