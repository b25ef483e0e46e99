"""Tests of bicep_checks.checkov_gate with checkov itself."""

from pathlib import Path

import pytest

from bicep_checks.checkov_gate import checkov_findings
from bicep_checks.findings import Finding, Rule
from tests.bicep_project import CHECKOV

ACCOUNT = """resource account 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  // LINE
  name: 'stscorer'
  location: 'westeurope'
  kind: 'StorageV2'
  sku: {
    name: 'Standard_GRS'
  }
  properties: {
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    publicNetworkAccess: 'Disabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: 'Deny'
    }
  }
}
"""
VAULT = """param open bool
resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  name: 'kv-scorer'
  location: 'westeurope'
  properties: {
    publicNetworkAccess: open ? 'Enabled' : 'Disabled'
    enablePurgeProtection: true
    networkAcls: {
      defaultAction: 'Deny'
    }
  }
}
"""
WEAK = ACCOUNT.replace("TLS1_2", "TLS1_0")
FILES = {
    "good.bicep": ACCOUNT,
    "weak.bicep": WEAK,
    "explained.bicep": WEAK.replace("LINE", "checkov:skip=CKV_AZURE_44: old devices, see there"),
    "unexplained.bicep": WEAK.replace("LINE", "checkov:skip=CKV_AZURE_44"),
    "unparsed.bicep": WEAK + "param sku string?\n",
    "crashing.bicep": VAULT,
}


def run(folder: Path, *names: str) -> list[Finding]:
    """Let checkov look at some of the files."""
    (folder / "bicep").mkdir()
    for name in names:
        (folder / "bicep" / name).write_text(FILES[name])
    return checkov_findings(folder, CHECKOV)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Let checkov look at all files once; it takes seconds to start."""
    findings = run(tmp_path_factory.mktemp("all"), *FILES)
    assert {one.rule for one in findings} == {Rule.CHECKOV}
    return {name: [one.remedy for one in findings if one.path == f"bicep/{name}"] for name in FILES}


def test_a_good_file_has_no_finding(found: dict[str, list[str]]) -> None:
    """What is found in a broken file comes from its fault."""
    assert found["good.bicep"] == []


def test_a_weak_resource_is_found(found: dict[str, list[str]]) -> None:
    """With the rule's number, to look it up or skip it by."""
    (remedy,) = found["weak.bicep"]
    assert remedy.startswith("CKV_AZURE_44 on Microsoft.Storage/storageAccounts.account:")


def test_a_skip_without_a_reason_is_found(found: dict[str, list[str]]) -> None:
    """A reader learns why a rule does not count; with a reason it is none."""
    assert found["unexplained.bicep"] == ["give the reason: // checkov:skip=CKV_AZURE_44: why"]
    assert found["explained.bicep"] == []


def test_a_file_that_checkov_cannot_parse_is_found(found: dict[str, list[str]]) -> None:
    """It checks nothing of such a file, and ends with 0 all the same."""
    (remedy,) = found["unparsed.bicep"]
    assert "it checked nothing of this file" in remedy


def test_a_check_that_fails_by_itself_is_found(found: dict[str, list[str]]) -> None:
    """It neither passes nor fails, and nothing in the report says so."""
    assert any(one.startswith("CKV_AZURE_189 fails by itself") for one in found["crashing.bicep"])


def test_nothing_passed_is_no_pass(tmp_path: Path) -> None:
    """An empty folder, or a wrong one, is told."""
    assert [one.remedy for one in run(tmp_path)] == [
        "look at this folder; checkov passed nothing here"
    ]


def test_a_checkov_that_does_not_run_is_no_pass(tmp_path: Path) -> None:
    """What it said last is told."""
    program = tmp_path / "checkov"
    program.write_text("#!/bin/sh\necho broken >&2\nexit 2\n")
    program.chmod(0o755)
    (found,) = checkov_findings(tmp_path, program)
    assert found.remedy == "make checkov run; it said: broken"


def test_a_checkov_that_is_not_there_is_no_pass(tmp_path: Path) -> None:
    """Nor is it a traceback: the finding names the program that was given."""
    (found,) = checkov_findings(tmp_path, tmp_path / "checkov")
    program = tmp_path / "checkov"
    assert found.remedy == (
        f"give checkov's program; {program} cannot be run: No such file or directory"
    )
