"""Tests of bicep/ as it is deployed."""

from bicep_checks.checkov_gate import checkov_findings
from bicep_checks.checks import all_findings
from tests.bicep_project import CHECKOV, ROOT, SCHEMAS


def test_the_deployment_has_no_finding() -> None:
    """Every check that needs no Azure passes on the files of this project."""
    assert "\n".join(map(str, all_findings(ROOT, SCHEMAS))) == ""


def test_the_deployment_passes_checkov() -> None:
    """Every rule passes, or is skipped with its reason."""
    assert "\n".join(map(str, checkov_findings(ROOT, CHECKOV))) == ""
