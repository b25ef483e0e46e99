"""Tests of ``python -m replay dead-letters``: what it prints, and its exit codes."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from replay.__main__ import main
from scoring.azure_host import AZURE_MARKS
from scoring.dead_letters import CONTAINER, DeadLetters
from scoring.settings import SETTINGS
from scoring.storage import FolderStorage
from tests.deployments import Deployment, deployed
from tests.event_batches import body, event_batch
from tests.small_models import publish, small_model

Run = Callable[..., "Ran"]


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command gave."""

    code: int
    out: str
    err: str


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Set the app to a folder of this test, and to nothing else."""
    for name in (*SETTINGS, *AZURE_MARKS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    return monkeypatch


@pytest.fixture
def run(environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs the command."""

    def ran(*arguments: str) -> Ran:
        code = main(["dead-letters", *arguments])
        return Ran(code, *capsys.readouterr())

    return ran


@pytest.fixture
def wrong(tmp_path: Path) -> Iterator[Deployment]:
    """Let an app without any route for pumps reject three good readings and two bad ones."""
    with deployed(tmp_path, MODEL_ROUTES="kiln-*=default") as deployment:
        publish(deployment.models, small_model())
        for hub, bodies in (("north", [body(1), b"\xff"]), ("south", [b"?", body(2), body(3)])):
            batch = event_batch(bodies, hub=hub, first=40, partition_key="pump-7")
            later = [one + 10**9 * number for number, one in enumerate(batch.enqueued_ns)]
            deployment.app.delivery.deliver(replace(batch, enqueued_ns=later))
        yield deployment


def letters(folder: Path) -> DeadLetters:
    """Return the dead letters in the folder of a test."""
    return DeadLetters(FolderStorage(folder).container(CONTAINER))


def reasons(folder: Path) -> list[str]:
    """Tell why each letter was rejected."""
    return [letter.reason for letter in letters(folder).read()]


def test_the_list_counts_by_reason_and_hub(wrong: Deployment, run: Run) -> None:
    """As JSON for programs: with first and last enqueued time."""
    found: dict[str, Any] = json.loads(run("list", "--json").out)
    assert (found["letters"], found["files"], found["unreadable"]) == (5, 2, [])
    assert {name: one["letters"] for name, one in found["reasons"].items()} == {
        "no_route": 3,
        "invalid_json": 1,
        "not_utf8": 1,
    }
    assert found["hubs"]["south"] == {
        "letters": 3,
        "oldest_enqueued_time": "2026-05-01T12:00:00.123Z",
        "newest_enqueued_time": "2026-05-01T12:00:02.123Z",
    }
    folder = FolderStorage(wrong.data_dir).container(CONTAINER)
    assert found["bytes"] == sum(entry.size for entry in folder.list())


def test_the_list_is_a_table_for_people(wrong: Deployment, run: Run) -> None:
    """The most frequent reason first."""
    ran = run("list")
    lines = [line.split() for line in ran.out.splitlines()]
    assert (ran.code, lines[0][:3]) == (0, ["5", "dead", "letters"])
    assert lines[3] == ["no_route", "3", "2026-05-01T12:00:00.123Z", "2026-05-01T12:00:02.123Z"]
    assert [line[:2] for line in lines[-2:]] == [["south", "3"], ["north", "2"]]


def test_the_list_of_nothing_says_so(run: Run) -> None:
    """An empty deployment is no error."""
    ran = run("list")
    assert (ran.code, ran.out) == (0, "0 dead letters in 0 files, 0 bytes\n")


def test_show_tells_from_where_why_and_what(wrong: Deployment, run: Run) -> None:
    """All that a person needs to find the sender."""
    out = run("show", "--reason", "invalid_json").out
    assert "south/0 event 40 index 0: invalid_json" in out
    assert "enqueued 2026-05-01T12:00:00.123Z" in out
    assert "partition key pump-7" in out
    assert out.splitlines()[-1] == "    ?"


def test_show_writes_bytes_that_are_no_text_as_base64(wrong: Deployment, run: Run) -> None:
    """The bytes are all there."""
    assert "base64: /w==" in run("show", "--reason", "not_utf8").out


def test_show_as_json_gives_the_letters_as_they_are_stored(wrong: Deployment, run: Run) -> None:
    """For jq and the like."""
    out = run("show", "--json", "--hub", "north").out
    (stored,) = list(FolderStorage(wrong.data_dir).container(CONTAINER).list("north/"))
    assert out == (wrong.data_dir / CONTAINER / stored.path).read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "n"),
    [
        (["--limit", "2"], 2),
        (["--reason", "no_route"], 3),
        (["--reason", "no_route", "--reason", "not_utf8"], 4),
        (["--sensor", "pump-1"], 3),
        (["--sensor", "pump-7"], 2),
        (["--hub", "south", "--sensor", "pump-1"], 2),
        (["--sensor", "nobody"], 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_show_gives_what_is_chosen(
    wrong: Deployment, run: Run, arguments: list[str], n: int
) -> None:
    """By reason, hub and sensor; an event's key is the sensor of readings that name none."""
    assert len(run("show", "--json", *arguments).out.splitlines()) == n


def test_show_writes_out_what_a_terminal_would_act_upon(tmp_path: Path, run: Run) -> None:
    """A reading may hold anything, and its reader is an operator's terminal."""
    with deployed(tmp_path) as deployment:
        publish(deployment.models, small_model())
        deployment.app.delivery.deliver(event_batch([b"\x1b]0;owned\x07\n\x1b[2J"], hub="a\x1bb"))
    out = run("show").out
    assert "\\x1b]0;owned\\x07\\n\\x1b[2J" in out
    assert not set(out) & {"\x1b", "\x07"}
    assert "\x1b" not in run("list").out


def test_replay_counts_and_tells_what_is_rejected_again(wrong: Deployment, run: Run) -> None:
    """Exit code 3: some stay."""
    ran = run("replay")
    assert (ran.code, ran.err) == (3, "")
    assert ran.out.splitlines() == [
        "rejected again: 1 not_utf8",
        "rejected again: 1 invalid_json",
        "done: replayed=5 scored=3 rejected=2 left=2",
    ]
    assert len(wrong.rows()) == 3
    assert reasons(wrong.data_dir) == ["not_utf8", "invalid_json"]


def test_replay_of_what_is_good_now_ends_with_0(wrong: Deployment, run: Run) -> None:
    """And once more: there is nothing left of it."""
    first = run("replay", "--reason", "no_route")
    again = run("replay", "--reason", "no_route")
    assert (first.code, first.out) == (0, "done: replayed=3 scored=3 rejected=0 left=0\n")
    assert (again.code, again.out) == (0, "done: replayed=0 scored=0 rejected=0 left=0\n")


def test_a_dry_run_says_that_it_is_one(wrong: Deployment, run: Run) -> None:
    """Nothing is stored, nothing goes."""
    ran = run("replay", "--dry-run")
    assert (ran.code, ran.out.splitlines()[-1]) == (
        3,
        "dry run: replayed=5 scored=3 rejected=2 left=2",
    )
    assert len(reasons(wrong.data_dir)) == 5
    assert not (wrong.data_dir / "scores.sqlite").exists()


def test_a_store_that_cannot_be_reached_ends_with_1_and_keeps_everything(
    wrong: Deployment, run: Run
) -> None:
    """The error names the store; the counts tell how far it came."""
    (wrong.data_dir / "scores.sqlite").mkdir()
    ran = run("replay")
    assert ran.code == 1
    assert ran.err.startswith("sink sqlite: ")
    assert "nothing is lost" in ran.err
    assert ran.out == "done: replayed=0 scored=0 rejected=0 left=0\n"
    assert len(reasons(wrong.data_dir)) == 5


def test_without_a_model_replay_ends_with_1(
    wrong: Deployment, run: Run, environ: pytest.MonkeyPatch
) -> None:
    """It names the model that is missing."""
    environ.setenv("MODEL_NAME", "absent")
    ran = run("replay")
    assert (ran.code, "model absent is not ready" in ran.err) == (1, True)
    assert len(reasons(wrong.data_dir)) == 5


def test_a_damaged_file_ends_every_command_with_1(wrong: Deployment, run: Run) -> None:
    """Named each time, and the rest is done all the same."""
    FolderStorage(wrong.data_dir).container(CONTAINER).put("a/0/damaged.ndjson", b"{")
    for command in ("list", "replay"):
        ran = run(command)
        assert (ran.code, "unreadable file: a/0/damaged.ndjson" in ran.err) == (1, True)
    assert len(wrong.rows()) == 3


def test_wrong_settings_are_told(run: Run, environ: pytest.MonkeyPatch) -> None:
    """In the words of health."""
    environ.setenv("MISSING_FEATURES", "perhaps")
    ran = run("replay")
    assert (ran.code, "MISSING_FEATURES: set reject or median" in ran.err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "name", "value", "is_refused"),
    [
        (["list"], "INFLUXDB_URL", "http://influx:8086", False),
        (["list"], "SENSOR_ID_KEYS", "id,", False),
        (["list"], "WEBSITE_SITE_NAME", "func-scorer", True),
        (["show"], "INFLUXDB_URL", "http://influx:8086", False),
        (["show"], "SENSOR_ID_KEYS", "id,", True),
        (["replay", "--dry-run"], "INFLUXDB_URL", "http://influx:8086", False),
        (["replay", "--dry-run"], "COSMOS_WRITE", "some", False),
        (["replay", "--dry-run"], "MODEL_ROUTES", "pumps", True),
        (["replay"], "INFLUXDB_URL", "http://influx:8086", True),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_command_refuses_the_settings_that_it_uses_alone(
    run: Run,
    environ: pytest.MonkeyPatch,
    arguments: list[str],
    name: str,
    value: str,
    *,
    is_refused: bool,
) -> None:
    """Who looks at letters needs no store's token; on Azure a folder holds none in any case."""
    environ.setenv(name, value)
    ran = run(*arguments)
    assert (ran.code, bool(ran.err)) == (is_refused, is_refused), ran.err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STORAGE_ACCOUNT_NAME", "readings"),
        (
            "STORAGE_CONNECTION_STRING",
            "DefaultEndpointsProtocol=https;AccountName=readings;AccountKey=a2V5",
        ),
    ],
)
def test_letters_on_azure_do_not_go_for_scores_on_this_machine(
    run: Run, environ: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A forgotten INFLUXDB_URL would put them into SQLite here; nothing is even contacted."""
    environ.setenv(name, value)
    ran = run("replay")
    assert (ran.code, "--sqlite" in ran.err) == (1, True)
