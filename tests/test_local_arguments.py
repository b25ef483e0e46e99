"""Tests of local.arguments: numbers on command lines."""

import pytest

from local import __main__ as host_command
from local import run as run_command
from local.arguments import duration_s, port_number


@pytest.mark.parametrize(
    ("text", "expected"), [("", None), ("20", 20.0), ("0.5", 0.5)], ids=["none", "whole", "part"]
)
def test_seconds_are_a_number_above_0_or_no_end(text: str, expected: float | None) -> None:
    """Make passes an empty text where RUN_SECONDS is not set."""
    assert duration_s(text) == expected


@pytest.mark.parametrize(("text", "expected"), [("", 7071), ("0", 0), ("65535", 65535)])
def test_a_port_is_one_that_there_is(text: str, expected: int) -> None:
    """0 takes a free one."""
    assert port_number(text) == expected


@pytest.mark.parametrize("command", [run_command, host_command], ids=["run", "host"])
@pytest.mark.parametrize("port", ["65536", "-1", "http", "1.5"])
def test_a_bad_port_is_one_clear_line(
    command: object, port: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What may be given, and exit 2; nothing is started."""
    with pytest.raises(SystemExit, match="2"):
        command.main([f"--port={port}"])  # type: ignore[attr-defined]  # two modules
    error = capsys.readouterr().err.splitlines()[-1]
    assert f"{port!r} is no port; give one from 0 to 65535" in error


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "soon"])
def test_a_bad_length_is_one_clear_line(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In the words of `make run`."""
    with pytest.raises(SystemExit, match="2"):
        run_command.main([f"--seconds={seconds}"])
    error = capsys.readouterr().err.splitlines()[-1]
    assert f"RUN_SECONDS is {seconds!r}; give a number of seconds above 0" in error
