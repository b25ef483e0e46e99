"""Tests of fuzz: inputs are made, run, and kept where they break a promise."""

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fuzz import __main__ as command
from fuzz.engines import has_atheris, mutated, run_plainly
from fuzz.findings import Finding, FindingError, expect
from fuzz.guard import Guard
from fuzz.line_reader import read_line, split_lines
from fuzz.results import Result, read_result
from fuzz.schedule import Plan
from fuzz.surfaces import NAMES
from fuzz.watching import Watch, is_harmless, stays_within

ROOT = Path(__file__).parents[1]
RESULT = Result("names", 2.0, 10, 3, None, 80, [])


class Fragile:
    """A surface that breaks over one byte."""

    tokens = (b"!",)

    def __init__(self, fault: Callable[[bytes], Exception]) -> None:
        self._fault = fault

    def seeds(self) -> list[bytes]:
        """Make one input."""
        return [b"abc"]

    def run(self, data: bytes) -> None:
        """Break over an exclamation mark."""
        if b"!" in data:
            raise self._fault(data)


def fuzzed(folder: Path, seconds: float, fault: Callable[[bytes], Exception]) -> Guard:
    """Fuzz a fragile surface."""
    surface, seeds = Fragile(fault), folder / "seeds"
    seeds.mkdir()
    (seeds / "0").write_bytes(b"abc")
    guard = Guard(surface, folder / "findings")
    with pytest.MonkeyPatch.context() as patch:
        # what tests before held in this process is none of its
        patch.setattr("fuzz.engines.peak_memory_mb", lambda: 1)
        run_plainly(guard, seeds, surface.tokens, seconds, 1)
    return guard


@pytest.mark.parametrize("error", [ValueError, FindingError, RecursionError])
def test_an_input_that_breaks_a_promise_is_kept_once(
    tmp_path: Path, error: type[Exception]
) -> None:
    """With its traceback, and the next input is tried all the same."""
    fuzzed(tmp_path, 0.2, lambda data: error(str(data)))
    (found,) = (tmp_path / "findings").glob("*.bin")
    assert b"!" in found.read_bytes()
    assert error.__name__ in found.with_suffix(".txt").read_text()


def test_the_input_that_ended_a_process_is_kept(tmp_path: Path) -> None:
    """A crash of the interpreter leaves no traceback, and is a finding like any other."""
    with pytest.raises(SystemExit):
        fuzzed(tmp_path, 5, lambda _: _raise(SystemExit()))
    (tmp_path / "log").write_text("Segmentation fault")
    result = read_result("names", 1.0, -11, tmp_path)
    assert not result.is_clean
    assert [b"!" in one.path.read_bytes() for one in result.findings] == [True]
    assert "exit code -11" in str(result.fault)


def _raise(error: BaseException) -> Exception:
    raise error


def test_plain_mutation_changes_inputs_within_a_bound() -> None:
    """Tokens come in, and the same seed makes the same inputs."""
    made = [
        [mutated(chance, [b"abc" * 9, b"xyz"], (b"TOKEN",)) for _ in range(300)]
        for chance in (random.Random(5), random.Random(5))
    ]
    assert made[0] == made[1]
    assert len(set(made[0])) > 200
    assert any(b"TOKEN" in data for data in made[0])


@pytest.mark.parametrize(
    ("changes", "code"),
    [({}, 0), ({"findings": [Finding(Path(__file__))]}, 1), ({"fault": "ended"}, 1)],
    ids=["clean", "a finding", "an ended process"],
)
def test_the_exit_code_tells_whether_anything_was_found(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, object],
    code: int,
) -> None:
    """With the input's place, and the input as base64."""
    values = {name: getattr(RESULT, name) for name in RESULT.__slots__} | changes
    monkeypatch.setattr(command, "run", lambda *_: [Result(**values)])
    assert command.main(["--seconds", "1"]) == code
    assert ("base64 IiIi" in capsys.readouterr().out) == ("findings" in changes)


@pytest.mark.parametrize(("n", "share"), [(6, 200), (5, 200), (2, 600), (1, 600)])
def test_time_is_shared_fairly(tmp_path: Path, n: int, share: int) -> None:
    """Two surfaces at a time, and all of them within the time."""
    assert Plan(NAMES[:n], 600, "plain", tmp_path).share == share


def smoke(engine: str, folder: Path, *arguments: str) -> str:
    """Fuzz for a few seconds, as `make fuzz` does."""
    ended = subprocess.run(
        [sys.executable, "-m", "fuzz", "--engine", engine, "--folder", str(folder), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.parametrize("surface", NAMES)
def test_every_surface_takes_its_seeds_and_more(tmp_path: Path, surface: str) -> None:
    """A second each: what is wrong at once is found by every run of the tests."""
    assert surface in smoke("plain", tmp_path, surface, "--seconds", "1")


@pytest.mark.skipif(not has_atheris(), reason="Atheris has no wheel for this system")
def test_coverage_guides_where_atheris_is_there(tmp_path: Path) -> None:
    """It counts the places in the code that are reached, and ends by itself."""
    smoke("atheris", tmp_path, "http_requests", "--seconds", "2")
    log = (tmp_path / "http_requests" / "log").read_text("utf-8", "replace")
    result = read_result("http_requests", 2.0, 0, tmp_path / "http_requests")
    assert (result.coverage or 0) > 100, log[-2000:]


GOOD = 'm,a=1 f=1.5,t="x" 7'


def test_lines_end_where_a_server_says() -> None:
    """A line break in a text is part of it; one that a hidden quote begins is, too."""
    assert split_lines(f'{GOOD}\nm,a=1 t="x\ny" 8') == [GOOD, 'm,a=1 t="x\ny" 8']
    assert len(split_lines('m,a=\\\\ \\\\="x,b=c f=1 7\n' + GOOD)) == 1


@pytest.mark.parametrize(
    "text",
    ["m,a=1 f=1.5", "m,a=1 f=1.5 7 8", "m,a= f=1 7", "m,a=1,a=2 f=1 7", "m,a=b=c f=1 7", "m,a=1 7"],
)
def test_a_line_that_a_server_refuses_is_a_finding(text: str) -> None:
    """No time, two times, no value, a tag twice, an equals sign by itself, no field."""
    with pytest.raises(FindingError):
        read_line(text)


def test_a_line_is_read_without_its_escapes() -> None:
    """In tags and in texts they are different ones."""
    point = read_line('m,a=x\\ y\\,z\\=\\n f=1.5,t="\\"\\\\" 7')
    assert (point.tags, point.fields) == ({"a": "x y,z=\\n"}, {"f": 1.5, "t": '"\\'})


@pytest.mark.parametrize(
    ("event", "args"),
    [
        ("os.system", (b"x",)),
        ("subprocess.Popen", ("x", [], None, None)),
        ("open", ("x", "w", 0)),
        ("exec", (None,)),
        ("import", ("antigravity", None)),
        ("socket.connect", (None, ("127.0.0.1", 1))),
    ],
)
def test_deeds_of_an_input_are_noted(event: str, args: tuple[object, ...]) -> None:
    """Files, processes, code, imports, sockets; afterwards nothing is noted any more."""
    watch = Watch()
    with watch.allowing(lambda event, args: is_harmless(event, args, imports=("sklearn",))):
        sys.audit(event, *args)
    sys.audit(event, *args)
    assert len(watch.seen) == 1


@pytest.mark.parametrize(
    ("path", "is_within"),
    [("a/b", True), ("", True), ("../x", False), ("a/../../x", False)],
)
def test_a_path_out_of_the_folder_is_noted(tmp_path: Path, path: str, is_within: bool) -> None:
    """However it is written."""
    folder = str(tmp_path.resolve())
    assert stays_within(folder, "open", (f"{folder}/{path}", "r", 0)) == is_within
    assert stays_within(folder, "os.rename", (folder, "/etc/passwd", -1, -1)) is False


def test_a_kept_promise_is_no_finding() -> None:
    """And a broken one says which."""
    expect(1, "never")
    with pytest.raises(FindingError, match="broken"):
        expect(0, "broken")
