"""Runs `python -m local` as a process of its own, as the host would run the app."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.environment import process_environment
from scoring.errors import ScoringError

_READY = "listening on "
# Importing scikit-learn takes seconds on a slow machine; beyond this something is wrong.
_START_SECONDS = 60.0
_STOP_SECONDS = 40.0


class AppProcessError(ScoringError):
    """The app did not start."""

    def __init__(self, found: str, log: Path) -> None:
        super().__init__(f"the app did not start: {found}; see {log}")


class AppEndedError(ScoringError):
    """The app ended before its work was done."""

    def __init__(self, status: int, log: Path) -> None:
        super().__init__(f"the app ended by itself (exit {status}); see {log} for the reason")


@dataclass(frozen=True, slots=True)
class AppProcess:
    """A running app: where it listens, its process, and where it logs to."""

    url: str
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self.process.poll() is not None

    def check(self) -> None:
        """Raise `AppEndedError` if the process is gone."""
        status = self.process.poll()
        if status is not None:
            raise AppEndedError(status, self.log)


@contextmanager
def running_app(
    environment: Mapping[str, str], log: Path, port: int = 7071
) -> Iterator[AppProcess]:
    """Run the app for the length of a with block, then end it with SIGTERM and wait.

    Ctrl-C kills it instead, which loses nothing. If this process is killed, the app ends too.

    Parameters
    ----------
    environment : mapping of str to str
        Settings, beside what this process has.
    log : Path
        Takes what the app prints.
    port : int
        0 takes a free one.

    Raises
    ------
    AppProcessError
        If it ends or stays silent instead of listening.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "local", "--port", str(port), "--until-stdin-closes"]
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  # our own module with our own interpreter
            command,
            stdin=subprocess.PIPE,  # closed by the system when this process is gone
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**process_environment().variables(), **environment},
            start_new_session=True,  # Ctrl-C is for the one who started us; we end the app
        )
    try:
        yield AppProcess(_wait_until_listening(process, log), process, log)
    except KeyboardInterrupt:
        process.kill()
        raise
    finally:
        _stop(process)


def _wait_until_listening(process: "subprocess.Popen[bytes]", log: Path) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        lines = log.read_text(errors="replace").splitlines()
        for line in lines:
            if line.startswith(_READY):
                return line.removeprefix(_READY).strip()
        if process.poll() is not None:
            raise AppProcessError(lines[-1] if lines else f"exit {process.returncode}", log)
        time.sleep(0.05)
    raise AppProcessError(f"nothing for {_START_SECONDS:g} s", log)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin is not None:
        process.stdin.close()
