"""Tests of tests.influxd_server and of the script that gets influxd."""

import os
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests import influxd_server
from tests.influxd_server import TOKEN, RealInflux, required_influxd

SCRIPT = Path(__file__).parents[1] / ".ci" / "influxd"


def write(url: str, line: str) -> None:
    """Write one line as a client does."""
    headers = {"Authorization": f"Token {TOKEN}"}
    address = f"{url}/api/v2/write?bucket={RealInflux.BUCKET}"
    urllib.request.urlopen(
        urllib.request.Request(address, line.encode(), headers), timeout=5
    ).close()


def test_killed_and_started_again_it_has_what_it_answered_for(
    influxd: Path, tmp_path: Path
) -> None:
    """Its address stays; meanwhile a client gets no answer."""
    real = RealInflux(tmp_path / "influxdb")
    with real.running() as front:
        write(front.url, "m value=1 1")
        real.kill()
        with pytest.raises(OSError, match="without response"):
            write(front.url, "m value=2 2")
        real.start()
        write(front.url, "m value=3 3")
        assert [point["value"] for point in real.query("SELECT value FROM m")] == [1, 3]


@pytest.mark.parametrize(
    ("ci", "expected"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)]
)
def test_without_influxd_tests_fail_under_ci_and_are_skipped_elsewhere(
    monkeypatch: pytest.MonkeyPatch, ci: str, expected: type[BaseException]
) -> None:
    """A proof that CI leaves out is none."""
    monkeypatch.setattr(influxd_server, "find_influxd", lambda: None)
    monkeypatch.setenv("CI", ci)
    with pytest.raises(expected, match="make influxd"):
        required_influxd()


def program(folder: Path, name: str, text: str) -> None:
    """Write a program that stands in for one of Debian's."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def debian(tmp_path: Path) -> Path:
    """Make a folder of programs that know a package and unpack it; they note what they do."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program(folder, "apt-cache", "echo '  Candidate: 1.6.7'")
    program(folder, "id", "echo 1000")
    note = f'echo "$1" >> {tmp_path}/calls'
    program(folder, "apt-get", f'{note}; [ "$1" = update ] || touch influxdb_1.6.7_amd64.deb')
    unpacked = '"$3/usr/bin"; printf "#!/bin/sh\\n" > "$3/usr/bin/influxd"'
    program(folder, "dpkg", f'mkdir -p {unpacked}; chmod +x "$3/usr/bin/influxd"')
    return folder


def run(debian: Path, *, only: bool = False) -> subprocess.CompletedProcess[str]:
    """Run the script with those programs before, or instead of, this machine's."""
    path = str(debian) if only else f"{debian}{os.pathsep}{os.environ['PATH']}"
    target = debian.parent / "venv" / "influxdb"
    return subprocess.run(
        ["/bin/bash", str(SCRIPT), str(target)],
        env={"PATH": path},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def calls(debian: Path) -> list[str]:
    """Return what was asked of apt-get."""
    path = debian.parent / "calls"
    return path.read_text().split() if path.exists() else []


def test_the_package_is_unpacked_once(debian: Path) -> None:
    """Nothing is left beside it, and the second call finds it there."""
    assert [run(debian).returncode for _ in range(2)] == [0, 0]
    assert calls(debian) == ["download"]
    assert [path.name for path in (debian.parent / "venv").iterdir()] == ["influxdb"]


def test_root_updates_the_lists_where_they_know_no_package(debian: Path) -> None:
    """As in a new container."""
    program(debian, "id", "echo 0")
    program(debian, "apt-cache", f"grep -q update {debian.parent}/calls && echo ' Candidate: 1'")
    assert run(debian).returncode == 0
    assert calls(debian) == ["update", "download"]


def test_without_root_the_remedy_is_named(debian: Path) -> None:
    """Nothing is half there afterwards."""
    program(debian, "apt-cache", "echo '  Candidate: (none)'")
    ended = run(debian)
    assert ended.returncode == 1
    assert "as root: apt-get update" in ended.stderr
    assert calls(debian) == []
    assert list((debian.parent / "venv").iterdir()) == []


def test_a_machine_without_apt_is_told(tmp_path: Path) -> None:
    """It can have an influxd of its own."""
    folder = tmp_path / "empty"
    folder.mkdir()
    ended = run(folder, only=True)
    assert ended.returncode == 1
    assert "put an influxd 1.x on PATH" in ended.stderr
