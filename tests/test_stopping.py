"""Tests of replay.stopping: the first Ctrl-C asks, the second ends."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from replay.stopping import stop_signal

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_the_first_one_is_an_event_and_the_second_an_interrupt(
    kind: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    """What was asked for is said at the first one."""
    with stop_signal("stopping, as asked") as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), kind)
        assert stop.is_set()
        assert capfd.readouterr().err.strip() == "stopping, as asked"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), kind)


def test_afterwards_signals_do_what_they_did() -> None:
    """Whoever runs it may have handlers of its own."""
    before = signal.getsignal(signal.SIGINT)
    with stop_signal():
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before


def test_a_second_ctrl_c_ends_sending_at_once(tmp_path: Path) -> None:
    """Although the app does not answer: one line, exit 130."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with subprocess.Popen(
            [sys.executable, "-m", "replay", "send", "--simulate", "--url", url],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            connection, _ = silent.accept()
            assert process.stderr is not None
            process.send_signal(signal.SIGINT)
            assert process.stderr.readline() == "\n"
            assert "Ctrl-C again" in process.stderr.readline()
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
            connection.close()
    assert (process.returncode, errors) == (130, "ended by Ctrl-C\n")
