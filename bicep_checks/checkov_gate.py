"""Runs checkov over the Bicep files, and does not take its silence for a pass."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bicep_checks.deployment import FOLDER
from bicep_checks.findings import Finding, Rule

# Nothing is fetched: its rules are part of the package.
_COMMAND = ("--framework", "bicep", "--skip-download", "--output", "json", "--directory")
_CRASHED = re.compile(r"Failed to run check (\S+) on (.*?\.bicep):(\S+)")
_NO_REASON = {"", "No comment provided"}


def checkov_findings(root: Path, program: Path) -> list[Finding]:
    """Return what checkov says about a project.

    It ends with 0 where it could not parse a file and so checked nothing of it, and where a check
    of its own failed; both are findings here, and so is a run in which nothing passed.

    Parameters
    ----------
    program : Path
        checkov, in a virtual environment of its own.
    """
    try:
        ended = _run(root, program)
    except OSError as error:
        remedy = f"give checkov's program; {program} cannot be run: {error.strerror}"
        return [Finding(FOLDER, 1, Rule.CHECKOV, remedy)]
    try:
        report = json.loads(ended.stdout)
    except ValueError:
        said = (ended.stderr or ended.stdout).strip().splitlines()
        remedy = f"make checkov run; it said: {said[-1] if said else 'nothing'}"
        return [Finding(FOLDER, 1, Rule.CHECKOV, remedy)]
    found = [*_failed(report), *_unexplained(report), *_crashed(root, ended.stderr)]
    return sorted({*found, *_unparsed(root, report), *_nothing_passed(report)})


def _run(root: Path, program: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # a pinned package's own program
        [program, *_COMMAND, root / FOLDER],
        capture_output=True,
        text=True,
        check=False,
        env={"LOG_LEVEL": "WARNING", "PATH": str(program.parent)},
    )


def _results(report: Any, kind: str) -> list[Any]:
    results = report.get("results", {}) if isinstance(report, Mapping) else {}
    return list(results.get(kind, []))


def _failed(report: Any) -> Iterator[Finding]:
    for one in _results(report, "failed_checks"):
        remedy = f"{one['check_id']} on {one['resource']}: {one['check_name']}"
        yield Finding(*_place(one), Rule.CHECKOV, remedy)


def _unexplained(report: Any) -> Iterator[Finding]:
    for one in _results(report, "skipped_checks"):
        reason = str(one["check_result"].get("suppress_comment") or "").strip()
        if reason in _NO_REASON:
            remedy = f"give the reason: // checkov:skip={one['check_id']}: why"
            yield Finding(*_place(one), Rule.CHECKOV, remedy)


def _place(one: Mapping[str, Any]) -> tuple[str, int]:
    return f"{FOLDER}{one['file_path']}", one["file_line_range"][0]


def _unparsed(root: Path, report: Any) -> Iterator[Finding]:
    for one in _results(report, "parsing_errors"):
        remedy = "write it so that checkov can parse it; it checked nothing of this file"
        yield Finding(_relative(root, one), 1, Rule.CHECKOV, remedy)


def _crashed(root: Path, log: str) -> Iterator[Finding]:
    for check, path, resource in _CRASHED.findall(log):
        remedy = f"{check} fails by itself on {resource}; skip it there with the reason"
        yield Finding(_relative(root, path), 1, Rule.CHECKOV, remedy)


def _relative(root: Path, path: str) -> str:
    absolute = Path(path).resolve()
    inside = absolute.is_relative_to(root.resolve())
    return absolute.relative_to(root.resolve()).as_posix() if inside else path


def _nothing_passed(report: Any) -> Iterator[Finding]:
    if not _results(report, "passed_checks"):
        yield Finding(FOLDER, 1, Rule.CHECKOV, "look at this folder; checkov passed nothing here")
