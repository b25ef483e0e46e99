"""Tests of bicep_checks: every rule finds the fault that it is for."""

from pathlib import Path

import pytest

from bicep_checks.__main__ import main
from bicep_checks.checks import all_findings
from bicep_checks.deployment import MAIN
from bicep_checks.findings import Finding, Rule
from tests.bicep_faults import FAULTS, RBAC, SITE, STORAGE, Fault
from tests.bicep_project import SCHEMAS, project_files, write_project


def findings(folder: Path, *faults: Fault, **added: str) -> list[Finding]:
    """Check the project with some edits, and some files more."""
    files = dict(project_files()) | added
    for fault in faults:
        assert fault.old in files[fault.file], fault
        files[fault.file] = files[fault.file].replace(fault.old, fault.new, 1)
    return all_findings(write_project(folder, files), SCHEMAS)


def test_a_project_without_a_fault_has_no_finding(tmp_path: Path) -> None:
    """What is found in a broken file comes from its fault."""
    assert findings(tmp_path) == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.rule} {fault.new[:40]!r}")
def test_a_fault_is_found_by_its_rule(tmp_path: Path, fault: Fault) -> None:
    """Each seeded fault is told under its rule, in its file, and under no other."""
    found = findings(tmp_path, fault)
    told = "\n".join(map(str, found))
    assert {one.rule for one in found} - {fault.also} == {fault.rule}, told
    assert fault.file in {one.path for one in found}, told


def test_every_rule_has_a_fault() -> None:
    """A rule that nothing is seeded for might never find anything."""
    assert {fault.rule for fault in FAULTS} == set(Rule) - {Rule.CHECKOV}


def test_a_finding_says_where_and_what_to_do(tmp_path: Path) -> None:
    """An editor can jump to it."""
    fault = Fault(Rule.WRONG_VALUE, SITE, "'appi-scorer'", "1")
    (found,) = findings(tmp_path, fault)
    number = (tmp_path / SITE).read_text().splitlines().index("  name: 1") + 1
    assert str(found) == f"{SITE}:{number}: wrong-value: insights: give name a value of type string"


@pytest.mark.parametrize(
    ("path", "content", "rule"),
    [
        ("bicep/modules/spare.bicep", "var one = 1\noutput x int = one\n", Rule.MODULE_FILE),
        ("bicep/queries/spare.kql", "AppMetrics\n", Rule.LOADED_FILE),
    ],
)
def test_a_file_that_nothing_uses_is_found(
    tmp_path: Path, path: str, content: str, rule: Rule
) -> None:
    """What is not deployed is not kept."""
    assert (path, rule) in {(one.path, one.rule) for one in findings(tmp_path, **{path: content})}


def test_a_role_is_assigned_in_one_file_only(tmp_path: Path) -> None:
    """Whoever asks what the app may do reads one file."""
    files = dict(project_files())
    files["bicep/modules/rights.bicep"] = files.pop(RBAC)
    files[MAIN] = files[MAIN].replace("modules/rbac.bicep", "modules/rights.bicep")
    found = all_findings(write_project(tmp_path, files), SCHEMAS)
    assert {one.rule for one in found} == {Rule.ROLE_ASSIGNMENT}


def test_without_a_file_that_parses_nothing_else_is_told(tmp_path: Path) -> None:
    """Everything else would follow from it."""
    broken = Fault(Rule.SYNTAX, STORAGE, "name: sku\n", "name: \n")
    other = Fault(Rule.NOT_DESCRIBED, SITE, "@description('Region.')\n", "")
    assert {one.rule for one in findings(tmp_path, broken, other)} == {Rule.SYNTAX}


def test_without_a_main_file_there_is_a_finding(tmp_path: Path) -> None:
    """There is nothing to deploy for azd."""
    files = dict(project_files())
    del files[MAIN]
    found = all_findings(write_project(tmp_path, files), SCHEMAS)
    assert (MAIN, Rule.PARAMETERS_FILE) in {(one.path, one.rule) for one in found}


def test_a_project_without_bicep_is_no_success(tmp_path: Path) -> None:
    """Nothing that was checked is not everything that is right."""
    with pytest.raises(FileNotFoundError, match=r"holds no \.bicep file"):
        all_findings(tmp_path, SCHEMAS)


def test_a_secret_is_not_repeated_in_a_finding(tmp_path: Path) -> None:
    """Findings stand in logs."""
    fault = Fault(
        Rule.SECRET_DEFAULT, MAIN, "influxToken string = ''", "influxToken string = 'hush'"
    )
    assert "hush" not in "".join(map(str, findings(tmp_path, fault)))


@pytest.mark.parametrize(("edit", "code"), [("", 0), ("nobody", 1)])
def test_the_command_tells_by_its_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], edit: str, code: int
) -> None:
    """`make check` stops where there is a finding."""
    files = dict(project_files())
    files[STORAGE] += f"\nvar {edit} = 1\n" if edit else ""
    write_project(tmp_path, files)
    assert main([str(tmp_path), "--cache", str(SCHEMAS.folder)]) == code
    assert ("use the variable nobody" in capsys.readouterr().out) == bool(edit)
