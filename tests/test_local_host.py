"""Tests of `python -m local` as a process of its own, on the app in tests/fixture_app."""

import json
import signal
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.log import EventLog, LogEvent, log_path
from tests.hosted_app import App
from tests.waiting import DEADLINE_S, wait_until


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[App]:
    """Return the fixture app, not yet started; whatever runs at the end is killed."""
    app = App(tmp_path / "app")
    yield app
    if app.process is not None:
        app.end(signal.SIGKILL)


@pytest.fixture
def app(stopped: App) -> App:
    """Return the fixture app, running."""
    stopped.start()
    return stopped


def test_what_was_found_is_told_at_the_start(app: App) -> None:
    """Functions with their triggers, addresses and the data folder; one line what is skipped."""
    text = "\n".join(app.lines)
    origin = f"http://127.0.0.1:{app.port}"
    for expected in (
        "keep: events of kept as $Default",
        "tick: timer * * * * * *",
        f"echo: GET,POST {origin}/api/echo/{{name}}/{{number:int?}}",
        "mute: disabled",
        f"events: POST {origin}/kept/messages (4 partitions)",
        f"data: {app.folder / 'data'}",
    ):
        assert expected in text
    assert app.log().count("work is skipped: queueTrigger") == 1


def test_posted_events_arrive_in_order_within_their_partition(app: App) -> None:
    """Each once, in batches up to host.json's size."""
    sent = [f"{key}{i:04}" for i in range(200) for key in "abcdef"]
    for start in range(0, len(sent), 300):
        app.send("kept", sent[start : start + 300])
    wait_until(lambda: len(app.bodies("keep")) == len(sent), "all events")
    seen = defaultdict(list)
    for batch in app.batches("keep"):
        assert 1 <= len(batch["bodies"]) <= 50
        seen[batch["partition"]] += batch["sequence_numbers"]
    assert all(numbers == list(range(len(numbers))) for numbers in seen.values())
    by_key = [[body for body in app.bodies("keep") if body[0] == key] for key in "abcdef"]
    assert by_key == [[text for text in sent if text[0] == key] for key in "abcdef"]


def test_a_function_without_policy_loses_the_batch_that_it_fails(app: App) -> None:
    """The checkpoint moves, as on Azure; the traceback is in the log."""
    app.steer("fail", on=True)
    app.send("lost", ["a"], partition=0)
    wait_until(lambda: app.backlog("lost") == 0, "the checkpoint")
    app.steer("fail", on=False)
    app.send("lost", ["b"], partition=0)
    wait_until(lambda: app.bodies("lose")[1:], "the next batch")
    assert app.bodies("lose") == ["a", "b"]
    assert "the file `fail` says so" in app.log()


def test_a_function_that_retries_for_ever_keeps_its_batch(app: App) -> None:
    """Until it works; then the partition goes on."""
    app.steer("fail", on=True)
    app.send("kept", ["a"], partition=0)
    wait_until(lambda: len(app.batches("keep")) > 3, "retries")
    assert app.backlog("kept") == 1
    app.steer("fail", on=False)
    app.send("kept", ["b"], partition=0)
    wait_until(lambda: app.backlog("kept") == 0, "the checkpoint")
    assert app.recorded("done") == [["keep", 0], ["keep", 1]]
    counts = [batch["retry_count"] for batch in app.batches("keep")]
    assert counts == [*range(len(counts) - 1), 0]


def test_a_killed_process_loses_nothing(app: App) -> None:
    """The batch in flight comes again, and what waited behind it follows."""
    app.steer("block", on=True)
    app.send("kept", ["a", "b"], partition=2)
    wait_until(lambda: app.batches("keep"), "the batch in flight")
    app.send("kept", ["c"], partition=2)
    assert app.end(signal.SIGKILL) == -signal.SIGKILL
    assert app.backlog("kept") == 3
    app.steer("block", on=False)
    app.start()
    wait_until(lambda: app.backlog("kept") == 0, "all events")
    numbers = [n for batch in app.batches("keep")[1:] for n in batch["sequence_numbers"]]
    assert numbers == [0, 1, 2]


def test_sigterm_lets_the_batch_in_flight_finish(app: App) -> None:
    """It is checkpointed, no further one is begun, and the exit status is 0."""
    app.steer("block", on=True)
    app.send("kept", ["a"], partition=0)
    wait_until(lambda: app.batches("keep"), "the batch in flight")
    app.send("kept", ["b"], partition=0)
    process = app.process
    assert process is not None
    process.terminate()
    wait_until(lambda: "stopping" in app.log(), "the signal")
    app.steer("block", on=False)
    assert process.wait(DEADLINE_S) == 0
    assert app.recorded("done") == [["keep", 0]]
    assert app.backlog("kept") == 1


def test_sigterm_ends_a_batch_in_its_retries_without_checkpoint(app: App) -> None:
    """It comes again at the next start."""
    app.steer("fail", on=True)
    app.send("kept", ["a"], partition=0)
    wait_until(lambda: app.batches("keep"), "the batch")
    assert app.end(signal.SIGTERM) == 0
    app.steer("fail", on=False)
    app.start()
    wait_until(lambda: app.recorded("done"), "the batch again")


def test_ctrl_c_ends_it_cleanly(app: App) -> None:
    """Exit status 0, no traceback."""
    assert app.end(signal.SIGINT) == 0
    assert "Traceback" not in app.log()


def test_events_that_another_process_appends_are_delivered(app: App) -> None:
    """Senders may write to the log's file directly."""
    with EventLog(log_path(app.folder / "data", "kept")) as log:
        log.append([LogEvent(b"direct", "key", {"site": "north"})])
    (batch,) = wait_until(lambda: app.batches("keep"), "the event")
    assert (batch["bodies"], batch["properties"]) == (["direct"], [{"site": "north"}])


def test_a_disabled_function_gets_nothing_but_its_hub_takes_events(app: App) -> None:
    """They wait in the log until it is enabled."""
    app.send("muted", ["a"])
    app.send("kept", ["b"])
    wait_until(lambda: app.bodies("keep"), "the other function")
    assert (app.batches("mute"), app.backlog("muted")) == ([], 1)


def test_a_timer_runs_on_its_schedule(app: App) -> None:
    """Every second, in time."""
    ticks = wait_until(lambda: app.recorded("ticks")[1:], "two runs")
    assert ticks[0] == {"past_due": False}


def test_an_http_function_gets_the_request_and_gives_the_answer(app: App) -> None:
    """Route and query parameters, headers and body there; status, headers and body back."""
    path = "/api/echo/pump%2001/7?limit=5&x="
    response, body = app.request("POST", path, b"hello", User_Agent="tests")
    assert json.loads(body) == {
        "method": "POST",
        "url": f"http://127.0.0.1:{app.port}{path}",
        "route": {"name": "pump 01", "number": "7"},
        "query": {"limit": "5", "x": ""},
        "agent": "tests",
        "body": "hello",
    }
    assert (response.status, response.getheader("X-Fixture")) == (202, "yes")
    assert response.getheader("Content-Type") == "application/json"
    assert response.getheader("Set-Cookie") == "a=1; Path=/"


def test_a_function_that_raises_is_500(app: App) -> None:
    """The error is in the log, not in the answer."""
    response, body = app.request("GET", "/api/broken")
    assert (response.status, body) == (500, b"")
    assert "RuntimeError: always" in app.log()


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/api/nothing"), ("PUT", "/api/echo/x"), ("GET", "/api/echo/x/y")]
)
def test_an_unknown_route_is_404(app: App, method: str, path: str) -> None:
    """So is a method or parameter that the route does not take."""
    response, body = app.request(method, path)
    assert response.status == 404
    assert json.loads(body)["error"]["code"] == "not_found"


def test_only_one_process_feeds_from_a_log(app: App) -> None:
    """The second one says so in a line and ends."""
    second = app.spawn()
    assert second.communicate(timeout=DEADLINE_S) is not None
    assert second.returncode == 1
    assert "another `python -m local` reads" in app.log()
    assert "Traceback" not in app.log()


def test_a_log_that_cannot_be_locked_is_told_with_path_and_reason(stopped: App) -> None:
    """It is not in use by another process, so nobody is told to stop one."""
    lock = stopped.folder / "data" / "hubs" / "kept.lock"
    lock.mkdir(parents=True)
    process = stopped.spawn()
    process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1
    assert f"{lock} cannot be locked: Is a directory" in stopped.log().splitlines()[-1]


def test_a_taken_port_ends_it_with_one_line(app: App) -> None:
    """Exit status 1."""
    second = app.spawn("--port", str(app.port))
    second.communicate(timeout=DEADLINE_S)
    assert second.returncode == 1
    assert f"port {app.port} on 127.0.0.1 is in use" in app.log().splitlines()[-1]


def test_a_missing_setting_ends_it_with_one_line(stopped: App) -> None:
    """The line names the setting and the function."""
    process = stopped.spawn(KEPT_HUB="")
    process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1
    assert "set KEPT_HUB: the function keep needs it" in stopped.log().splitlines()[-1]
