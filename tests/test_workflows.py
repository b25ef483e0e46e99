"""Tests of .github/workflows: valid, pinned, with few rights."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def workflow(path: Path) -> dict[str, Any]:
    """Read a workflow."""
    document = YAML(typ="safe").load(path.read_text("utf-8"))
    assert isinstance(document, dict)
    return document


def complaints(path: Path) -> str:
    """Hold a workflow against GitHub's schema; empty if it is valid."""
    command = ["-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    ended = subprocess.run(
        [sys.executable, *command, path], capture_output=True, text=True, check=False
    )
    return ended.stdout if ended.returncode else ""


def strings(value: Any) -> Iterator[str]:
    """Yield every text in a document."""
    if isinstance(value, dict):
        yield from (found for inner in value.values() for found in strings(inner))
    elif isinstance(value, list):
        yield from (found for inner in value for found in strings(inner))
    elif isinstance(value, str):
        yield value


@each_workflow
def test_a_workflow_is_valid(path: Path) -> None:
    """GitHub ignores a file that it cannot read, without failing anything."""
    assert complaints(path) == ""


def test_a_broken_workflow_is_not(tmp_path: Path) -> None:
    """The schema is there and is held."""
    broken = tmp_path / "ci.yml"
    broken.write_text(WORKFLOWS[0].read_text().replace("runs-on:", "run-on:"))
    assert "run-on" in complaints(broken)


@each_workflow
def test_every_action_is_pinned_by_its_commit(path: Path) -> None:
    """A tag can be moved to other code; the version stands beside the commit, to be read."""
    uses = re.findall(r"uses: (.*)", path.read_text("utf-8"))
    assert uses
    assert [one for one in uses if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", one)] == []


@each_workflow
def test_a_workflow_has_no_more_rights_than_it_needs(path: Path) -> None:
    """It reads the code; the deployment may also ask for a token. Nothing is left signed in."""
    document = workflow(path)
    allowed = {"contents": "read"} | ({"id-token": "write"} if path.stem == "deploy" else {})
    assert document["permissions"] == allowed
    for job in document["jobs"].values():
        assert "permissions" not in job
        checkouts = [one for one in job["steps"] if "checkout" in one.get("uses", "")]
        assert all(one["with"]["persist-credentials"] is False for one in checkouts)


@each_workflow
def test_a_workflow_has_no_secret(path: Path) -> None:
    """Azure trusts a federated credential; a secret would be one more to lose."""
    assert not [one for one in strings(workflow(path)) if "secrets." in one]


@each_workflow
def test_a_workflow_ends_and_does_not_run_twice(path: Path) -> None:
    """A hang costs minutes and not hours; two runs of one branch do not meet."""
    document = workflow(path)
    assert document["concurrency"]["group"]
    assert all(job["timeout-minutes"] <= 60 for job in document["jobs"].values())


def test_every_supported_python_is_tested() -> None:
    """The oldest passes what lands a change; the others every test."""
    job = workflow(ROOT / ".github" / "workflows" / "ci.yml")["jobs"]["python"]
    runs = {one["python"]: one["command"] for one in job["strategy"]["matrix"]["include"]}
    assert runs == {"3.11": ".ci/run", "3.12": "make test", "3.13": "make test"}
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
