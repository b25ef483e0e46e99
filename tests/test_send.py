"""Tests of `python -m replay send`: to the local app, to Event Hubs, nowhere."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from local.log import EventLog, StoredEvent, log_path
from replay.__main__ import main
from tests.event_hubs_double import EventHubsDouble
from tests.waiting import DEADLINE_S, wait_until

HUB = "plant"
REPOSITORY = Path(__file__).parents[1]
CONSUMER = """
import typing

import azure.functions as func

app = func.FunctionApp()


@app.event_hub_message_trigger(
    arg_name="events", event_hub_name="plant", connection="EventHubConnection",
    cardinality=func.Cardinality.MANY, data_type=func.DataType.BINARY,
)
def consume(events: typing.List[func.EventHubEvent]):
    pass
"""


def environment_for(data_dir: Path) -> dict[str, str]:
    """Return an environment that keeps data in its own folder."""
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), "DATA_DIR": str(data_dir)}


@pytest.fixture(scope="module")
def local_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Run ``python -m local`` with an app that reads the hub; give its address and log."""
    folder = tmp_path_factory.mktemp("app")
    (folder / "function_app.py").write_text(CONSUMER)
    (folder / "host.json").write_text('{"version": "2.0"}')
    process = subprocess.Popen(
        [sys.executable, "-m", "local", "--port", "0"],
        cwd=folder,
        env=environment_for(folder / "data"),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process, process.stdout:
        lines = iter(process.stdout.readline, "")
        found = (re.fullmatch(r"listening on (\S+)\n", line) for line in lines)
        url = next(match[1] for match in found if match)
        yield url, log_path(folder / "data", HUB)
        process.terminate()
        process.wait(DEADLINE_S)


def logged(path: Path) -> list[StoredEvent]:
    """Return every event of the log, partition by partition."""
    with EventLog(path) as log:
        return [
            event for partition in range(log.partitions) for event in log.read(partition, -1, 10**6)
        ]


def test_a_recording_arrives_in_the_local_apps_log(
    local_app: tuple[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every reading once, each sensor's in time order under its key, and the counts say so."""
    url, log = local_app
    rows = [f"{60 - i},file-{i % 3},{i}.5" for i in range(60)]
    file = tmp_path / "r.csv"
    file.write_text("\n".join(["time,sensor_id,Flow Rate", *rows]))
    assert main(["send", str(file), "--url", url, "--hub", HUB, "--batch", "7"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("sent=60 ")
    assert "features   1: Flow Rate" in err
    for sensor in ("file-0", "file-1", "file-2"):
        events = [event for event in logged(log) if event.partition_key == sensor]
        readings = [msgspec.json.decode(event.body) for event in events]
        assert len(readings) == 20
        assert {reading["sensor_id"] for reading in readings} == {sensor}
        times = [reading["timestamp"] for reading in readings]
        assert times == sorted(times)


def test_a_simulation_arrives_at_its_rate_until_ctrl_c(local_app: tuple[str, Path]) -> None:
    """Ctrl-C ends with exit 0, and the count is what the log holds."""
    url, log = local_app
    before = len(logged(log))
    process = subprocess.Popen(
        [sys.executable, "-m", "replay", "send", "--simulate", "--rate", "200", "--stations", "2",
         "--url", url, "--hub", HUB],
        cwd=REPOSITORY,
        env=environment_for(REPOSITORY),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    with process:
        wait_until(lambda: len(logged(log)) > before + 100, "a hundred readings")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    match = re.match(r"sent=(\d+) ", out)
    assert match is not None
    assert int(match[1]) == len(logged(log)) - before


def test_a_simulation_stops_after_its_seconds(
    local_app: tuple[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """At its own pace: five stations, six steps within 0.55 s; fewer where starting takes long."""
    arguments = ["--simulate", "--interval", "0.1", "--seconds", "0.55"]
    assert main(["send", *arguments, "--url", local_app[0], "--hub", HUB]) == 0
    match = re.match(r"sent=(\d+) ", capsys.readouterr().out)
    assert match is not None
    assert int(match[1]) in range(5, 31)


def test_the_command_sends_to_event_hubs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the connection string from the variable that is named."""
    with EventHubsDouble(HUB) as double:
        monkeypatch.setenv("PLANT", double.connection_string)
        arguments = ["--simulate", "--pace", "fast", "--limit", "50", "--hub", HUB]
        connection = ["--to", "eventhubs", "--connection-string-env", "PLANT"]
        assert main(["send", *arguments, *connection]) == 0
    assert capsys.readouterr().out.startswith("sent=50 ")
    assert len(double.received) == 50


def test_a_hub_that_nobody_reads_is_an_error(
    local_app: tuple[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """The counts and the reason are shown, the exit code is 1."""
    arguments = ["--simulate", "--limit", "5", "--url", local_app[0], "--hub", "other"]
    assert main(["send", *arguments]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("sent=0 ")
    assert "answered 404" in err


@pytest.mark.parametrize("arguments", [[], ["r.csv", "--simulate"], ["r.csv", "--rate", "0"]])
def test_a_bad_call_of_send_is_refused_with_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exactly one source, and a rate above 0."""
    with pytest.raises(SystemExit, match="2"):
        main(["send", *arguments])
    assert "usage: python -m replay send" in capsys.readouterr().err
