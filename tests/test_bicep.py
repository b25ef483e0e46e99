"""Tests of bicep/ as it is deployed."""

import re
from itertools import pairwise

import pytest

from bicep_checks.checkov_gate import checkov_findings
from bicep_checks.checks import all_findings
from bicep_checks.deployment import read_deployment
from bicep_checks.nodes import at_path, members, text
from tests.bicep_project import CHECKOV, ROOT, SCHEMAS


def test_the_deployment_has_no_finding() -> None:
    """Every check that needs no Azure passes on the files of this project."""
    assert "\n".join(map(str, all_findings(ROOT, SCHEMAS))) == ""


def test_the_deployment_passes_checkov() -> None:
    """Every rule passes, or is skipped with its reason."""
    assert "\n".join(map(str, checkov_findings(ROOT, CHECKOV))) == ""


DEPLOYMENT = read_deployment(ROOT)


def _after(path: str, name: str) -> set[str]:
    """Return what a resource or module of a file says that it comes after."""
    file = DEPLOYMENT.files[path]
    made = {**file.resources, **file.modules}[name]
    found = at_path(made.body, "dependsOn")
    return set() if found is None else {text(one) for one in found.named_children}


def test_the_account_of_cosmos_db_gets_one_change_at_a_time() -> None:
    """It answers 412 to a role or an endpoint while another one is being made."""
    rbac = DEPLOYMENT.files["bicep/modules/rbac.bicep"]
    kind = "Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments"
    assignments = [name for name, one in rbac.resources.items() if one.full_type == kind]
    assert len(assignments) == 2
    for before, name in pairwise(assignments):
        assert before in _after(rbac.path, name)
    assert "rbac" in _after("bicep/app.bicep", "network")


def test_nothing_is_taken_by_its_place_in_a_list_of_azure() -> None:
    """A service may give its subnets back in another order than they were sent."""
    sources = {path: text(file.root) for path, file in DEPLOYMENT.files.items()}
    assert [
        path for path, one in sources.items() if re.search(r"properties\.[\w.]+\[\d", one)
    ] == []


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("network.bicep", "serviceName: 'Microsoft.App/environments'"),
        ("function-app.bicep", "sku: {\n    name: 'FC1'\n    tier: 'FlexConsumption'"),
        ("function-app.bicep", "keyVaultReferenceIdentity: identityId"),
        ("function-app.bicep", "userAssignedIdentityResourceId: identityId"),
        ("function-app.bicep", "AzureWebJobsStorage__clientId: identityClientId"),
        ("function-app.bicep", "EventHubConnection__clientId: identityClientId"),
    ],
)
def test_what_any_text_would_satisfy_is_the_one_that_works(path: str, words: str) -> None:
    """No schema knows which delegation and plan Flex Consumption has, nor which id is meant."""
    assert words in text(DEPLOYMENT.files[f"bicep/modules/{path}"].root)


def test_the_two_ids_of_the_identity_are_not_mistaken_for_each_other() -> None:
    """One names the resource, the other is what tokens are asked for with."""
    app = DEPLOYMENT.files["bicep/app.bicep"]
    given = members(at_path(app.modules["functionApp"].body, "params") or app.root)
    outputs = DEPLOYMENT.files["bicep/modules/identity.bicep"].outputs
    made = {name: text(one.value) for name, one in outputs.items() if one.value is not None}
    assert text(given["identityId"]) == "identity.outputs.id"
    assert text(given["identityClientId"]) == "identity.outputs.clientId"
    assert made["id"].endswith(".id")
    assert made["clientId"].endswith(".properties.clientId")


def test_the_texts_that_bicep_cannot_read_as_a_number_are_ruled_out() -> None:
    """`int` takes whole digits alone, so `.5` or `1e3` as SPILL_MAX_MB would end a deployment."""
    app = DEPLOYMENT.files["bicep/app.bicep"]
    threshold = app.variables["maximumSpillMegabytes"].value
    assert threshold is not None
    assert text(threshold) == "int(split(spillMaxMb, '.')[0]) * 3 / 4"
    told = "SPILL_MAX_MB begins with a digit and has no exponent"
    assert told in app.parameters["scoringSettings"].description
