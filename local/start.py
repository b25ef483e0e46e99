"""The command behind ``make start``: runs ``func start`` with the storage it needs."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from local.azurite import Ports, answers, running_azurite
from local.environment import process_environment
from scoring.errors import ScoringError, SettingsError

EVENT_HUBS_EMULATOR_PORT = 5672  # AMQP; the emulator has no other
DISABLED = "AzureWebJobs.score_events.Disabled"
_CONNECTIONS = ("EventHubConnection", "EventHubConnection__fullyQualifiedNamespace")

NO_FUNC = """\
`func` (Azure Functions Core Tools 4) is not on the PATH. To get it:
  npm install -g azure-functions-core-tools@4
or use the installer of your system: https://learn.microsoft.com/azure/azure-functions/functions-run-local
Without it, `python -m local --port 7071` runs the same app."""


def main() -> int:
    """Run ``func start`` in the current folder; return its exit status."""
    folder = Path.cwd()
    func = shutil.which("func")
    if func is None:
        print(NO_FUNC, file=sys.stderr)
        return 1
    try:
        copy_example_settings(folder)
        variables = process_environment().variables()
        _prefer_this_python(variables)
        if not has_event_hubs(read_values(folder) | variables):
            print("score_events is disabled: no Event Hubs connection or emulator answers")
            variables[DISABLED] = "true"
        return _run(func, folder, variables)
    except ScoringError as error:
        print(error, file=sys.stderr)
        return 1


def copy_example_settings(folder: Path) -> None:
    """Make ``local.settings.json`` from its example where there is none."""
    settings, example = folder / "local.settings.json", folder / "local.settings.json.example"
    if not settings.exists() and example.exists():
        shutil.copyfile(example, settings)
        print(f"made {settings.name} from {example.name}")


def read_values(folder: Path) -> dict[str, str]:
    """Return the ``Values`` of ``local.settings.json``; empty without the file.

    Raises
    ------
    SettingsError
        If the file is not in the form of Core Tools.
    """
    path = folder / "local.settings.json"
    if not path.exists():
        return {}
    try:
        values = json.loads(path.read_text("utf-8-sig")).get("Values", {})
        return {name: str(value) for name, value in values.items()}
    except (ValueError, AttributeError) as error:
        form = '{"IsEncrypted": false, "Values": {...}}'
        raise SettingsError([f"local.settings.json must read {form}: {error}"]) from error


def has_event_hubs(settings: Mapping[str, str]) -> bool:
    """Tell whether the trigger has anything to connect to.

    True for a real namespace, and for the emulator only while it answers on this machine.
    """
    found = [settings.get(name, "").strip() for name in _CONNECTIONS]
    connection = next((text for text in found if text and "<" not in text), "")
    if "usedevelopmentemulator=true" in connection.replace(" ", "").lower():
        return _listens(EVENT_HUBS_EMULATOR_PORT)
    return bool(connection)


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2):
            return True
    except OSError:
        return False


def _prefer_this_python(variables: dict[str, str]) -> None:
    """Let func find the Python that has the app's packages: the first on the PATH."""
    folders = [str(Path(sys.executable).parent), variables.get("PATH", "")]
    variables["PATH"] = os.pathsep.join(folders)


def _run(func: str, folder: Path, variables: Mapping[str, str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # unwinds, so that Azurite ends too
    with ExitStack() as stack:
        if answers(Ports().blob):
            print("storage: the Azurite that runs already")
        else:
            stack.enter_context(running_azurite(folder / ".local" / "azurite", Ports()))
            print("storage: Azurite, data in .local/azurite")
        sys.stdout.flush()
        return _run_in_foreground([func, "start"], variables)


def _run_in_foreground(command: list[str], variables: Mapping[str, str]) -> int:
    """Run a command that shares this terminal, and so its Ctrl-C; pass SIGTERM on to it."""
    signal.signal(signal.SIGINT, lambda *_: None)
    process = subprocess.Popen(command, env=dict(variables))  # noqa: S603  func, found on the PATH
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    return process.wait()


if __name__ == "__main__":
    sys.exit(main())
