"""Tests of local.terminal: Ctrl-C under make, on a real pseudo-terminal."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

pty = pytest.importorskip("pty")
ROOT = Path(__file__).parents[1]
PROGRAM = """
import signal, sys, threading
from contextlib import nullcontext
from local.terminal import own_terminal
with own_terminal() if sys.argv[1] == "own" else nullcontext():
    stop = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    print("ready", flush=True)
    if not stop.wait(60):
        sys.exit("no Ctrl-C came")
open("ended-well", "w").close()  # what it prints now may go with the terminal
"""
# a terminal becomes the session's own by its first program's wish
ON_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")


@pytest.fixture
def makefile(tmp_path: Path) -> Path:
    """Write a Makefile with a program that ends well on Ctrl-C."""
    (tmp_path / "program.py").write_text(PROGRAM)
    python = f"PYTHONPATH={ROOT} {sys.executable} program.py"
    path = tmp_path / "Makefile"
    commands = {"own": "own", "shared": "shared", "piped": "own | cat"}
    targets = [f"{name}:\n\t@{python} {command}\n" for name, command in commands.items()]
    path.write_text("".join(targets))
    return path


def lines(terminal: int) -> Iterator[str]:
    """Read a terminal until nobody writes to it any more."""
    with suppress(OSError), os.fdopen(terminal, "rb", buffering=0, closefd=False) as output:
        while data := output.readline():
            yield data.decode().strip()


def interrupted(folder: Path, target: str) -> tuple[int, str]:
    """Run make on a terminal of its own, press Ctrl-C; return its status and what it printed."""
    terminal, end = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", ON_TERMINAL, "make", "-C", str(folder), target],
        stdin=end,
        stdout=end,
        stderr=end,
        start_new_session=True,
    ) as process:
        os.close(end)
        output = []
        try:
            for line in lines(terminal):
                output.append(line)
                if line == "ready":
                    os.write(terminal, b"\x03")
        finally:
            os.close(terminal)  # hangs up, so that nothing is left waiting
    return process.returncode, "\n".join(output)


@needs_make
def test_make_ends_as_well_as_the_program_that_owns_the_terminal(makefile: Path) -> None:
    """Ctrl-C is seen by the program alone, and its exit status counts."""
    status, output = interrupted(makefile.parent, "own")
    assert (status, (makefile.parent / "ended-well").exists()) == (0, True), output


@needs_make
@pytest.mark.parametrize("target", ["shared", "piped"])
def test_make_fails_of_a_ctrl_c_that_it_shares(makefile: Path, target: str) -> None:
    """Why the terminal is taken at all; a program in a pipe leaves it to the one that shows."""
    status, _ = interrupted(makefile.parent, target)
    assert status != 0


def test_without_a_terminal_nothing_changes() -> None:
    """In a pipeline on a server there is none to take."""
    program = "import os\nfrom local.terminal import own_terminal\ngroup = os.getpgrp()\n"
    program += "with own_terminal():\n    assert os.getpgrp() == group\n"
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, start_new_session=True, timeout=60, check=False
    )
    assert ended.returncode == 0
