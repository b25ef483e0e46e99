"""Tests of bicep_checks: every rule finds the fault that it is for."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from bicep_checks.__main__ import main
from bicep_checks.checks import all_findings
from bicep_checks.deployment import MAIN, PARAMETERS, ROLES
from bicep_checks.findings import Finding, Rule
from tests.bicep_project import SCHEMAS, project_files, write_project

APP = "bicep/app.bicep"
STORAGE = "bicep/modules/storage.bicep"
RBAC = "bicep/modules/rbac.bicep"
SITE = "bicep/modules/site.bicep"
ALERTS = "bicep/modules/alerts.bicep"


@dataclass(frozen=True, slots=True)
class Fault:
    """One edit that breaks one rule, and perhaps another with it."""

    rule: Rule
    file: str
    old: str
    new: str
    also: Rule | None = None


FAULTS = (
    Fault(Rule.SYNTAX, STORAGE, "name: sku\n", "name: \n"),
    Fault(Rule.SYNTAX, STORAGE, "param sku string", "param sku str ing"),
    Fault(Rule.SYNTAX, SITE, "tenantId: tenant().tenantId\n", "tenantId: tenant().tenantId "),
    Fault(Rule.SYNTAX, STORAGE, "  }\n}\n\nresource blobs", "  }\n\nresource blobs"),
    Fault(Rule.SYNTAX, STORAGE, "['models', ", "[...others, "),
    Fault(Rule.SUBSET, STORAGE, "param sku string", "param sku string?"),
    Fault(Rule.SUBSET, STORAGE, "param sku string", "param sku 'a' | 'b'"),
    Fault(Rule.SUBSET, STORAGE, "param sku string", "param sku string[]"),
    Fault(Rule.SUBSET, STORAGE, "? 'Deny'", "\n        ? 'Deny'"),
    Fault(Rule.SUBSET, STORAGE, "['models', ", "[sort([], (a, b) => a < b), "),
    Fault(Rule.SUBSET, STORAGE, "var", "func double(x int) int => x * 2\n\nvar"),
    Fault(Rule.SUBSET, STORAGE, "var", "type kind = string\n\nvar"),
    Fault(Rule.SUBSET, STORAGE, "var", "import * as shared from 'shared.bicep'\n\nvar"),
    Fault(Rule.NOT_DESCRIBED, STORAGE, "@description('Copies.')\n", ""),
    Fault(Rule.NOT_DESCRIBED, STORAGE, "'Name of the account.'", "' '"),
    Fault(Rule.NOT_USED, STORAGE, "name: sku", "name: 'Standard_LRS'"),
    Fault(Rule.NOT_USED, STORAGE, "var ", "var nobody = 1\nvar "),
    Fault(
        Rule.NOT_USED,
        STORAGE,
        "resource blobs",
        "resource other 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {\n"
        "  name: 'other'\n}\n\nresource blobs",
    ),
    Fault(Rule.UNDEFINED_NAME, STORAGE, "location: location\n  kind", "location: region\n  kind"),
    Fault(Rule.UNDEFINED_NAME, STORAGE, "name: name\n", "name: title\n"),
    Fault(Rule.UNDEFINED_NAME, STORAGE, "st${unique", "st${skuu}${unique"),
    Fault(Rule.UNKNOWN_FUNCTION, STORAGE, "uniqueString(", "uniqeString("),
    Fault(Rule.UNKNOWN_FUNCTION, MAIN, "@allowed(", "@permitted("),
    Fault(Rule.UNKNOWN_MEMBER, MAIN, "storage.outputs.name", "storage.outputs.title"),
    Fault(Rule.UNKNOWN_MEMBER, MAIN, "storage.outputs.name", "storage.output.name"),
    Fault(Rule.UNKNOWN_MEMBER, ALERTS, "queries.lag", "queries.lagg"),
    Fault(Rule.UNKNOWN_MEMBER, SITE, "plan.id", "plan.idd"),
    Fault(Rule.UNKNOWN_MEMBER, STORAGE, "properties.principalId", "properties.principal"),
    Fault(Rule.MODULE_FILE, MAIN, "modules/alerts.bicep", "modules/alarms.bicep"),
    Fault(Rule.MODULE_PARAMETER, MAIN, "sku: storageSku", "skuu: storageSku"),
    Fault(Rule.MODULE_PARAMETER, MAIN, "    location: location\n    sku", "    sku"),
    Fault(
        Rule.MODULE_PARAMETER,
        ALERTS,
        "var queries",
        "@description('Least.')\nparam least int = 60\n\nvar queries",
        Rule.NOT_USED,
    ),
    Fault(Rule.SAME_PARAMETER, APP, "title string = 'Plant'", "title string = 'Mill'"),
    Fault(Rule.SAME_PARAMETER, APP, "'Title of the plant.'", "'Title.'"),
    Fault(Rule.SAME_PARAMETER, APP, "@maxLength(20)\n", ""),
    Fault(Rule.SAME_PARAMETER, APP, "@maxLength(20)", "@maxLength(30)"),
    Fault(Rule.SAME_PARAMETER, APP, "param title string", "param title object"),
    Fault(Rule.MODULE_SCOPE, MAIN, "  name: 'storage'\n  scope: group\n", "  name: 'storage'\n"),
    Fault(Rule.MODULE_SCOPE, MAIN, "targetScope = 'subscription'\n\n", ""),
    Fault(Rule.PARAMETERS_FILE, PARAMETERS, '"storageSku"', '"storageSkuu"'),
    Fault(Rule.PARAMETERS_FILE, PARAMETERS, "${STORAGE_SKU=Standard_LRS}", "${STORAGE_SKU}"),
    Fault(Rule.PARAMETERS_FILE, PARAMETERS, "=Standard_LRS}", "=Standard_ZRS}"),
    Fault(Rule.PARAMETERS_FILE, PARAMETERS, "${AZURE_ENV_NAME}", "${azureEnvName}"),
    Fault(Rule.PARAMETERS_FILE, PARAMETERS, '"${INFLUXDB_TOKEN}"', "7"),
    Fault(Rule.PARAMETERS_FILE, PARAMETERS, "${STORAGE_SKU=", "${TITLE="),
    Fault(Rule.PARAMETERS_FILE, PARAMETERS, "${MODEL_NAME=default}", "${TITLE}"),
    Fault(Rule.PARAMETERS_FILE, PARAMETERS, '"parameters"', '"params"'),
    Fault(Rule.PARAMETERS_FILE, PARAMETERS, "{\n", "{,\n"),
    Fault(Rule.AZD, MAIN, "output AZURE_TENANT_ID", "output AZURE_TENANT"),
    Fault(Rule.AZD, "azure.yaml", "  scorer:", "  other:"),
    Fault(Rule.AZD, "azure.yaml", "services:", "service:"),
    Fault(Rule.LOADED_FILE, ALERTS, "queries/lag.kql", "queries/lags.kql"),
    Fault(Rule.UNKNOWN_TYPE, STORAGE, "Microsoft.ManagedIdentity/user", "Microsoft.Identity/user"),
    Fault(Rule.API_VERSION, SITE, "workspaces@2025-02-01", "workspaces@2025-07-01"),
    Fault(Rule.API_VERSION, ALERTS, "@2023-12-01", "@2025-01-01-preview"),
    Fault(Rule.UNKNOWN_PROPERTY, STORAGE, "minimumTlsVersion", "minimumTlsVersoin"),
    Fault(Rule.UNKNOWN_PROPERTY, STORAGE, "publicAccess: 'None'", "publicAcess: 'None'"),
    Fault(Rule.UNKNOWN_MEMBER, ALERTS, "threshold: 60 }", "limit: 60 }"),
    Fault(Rule.UNKNOWN_PROPERTY, ALERTS, "threshold: rule", "limit: rule"),
    Fault(Rule.UNKNOWN_PROPERTY, SITE, "alwaysReady: always", "alwaysReadi: always"),
    Fault(Rule.UNKNOWN_PROPERTY, SITE, "      family: 'A'", "      family: 'A', relatives: 'A'"),
    Fault(Rule.READ_ONLY_PROPERTY, SITE, "reserved: true", "reserved: true, status: 'Ready'"),
    Fault(Rule.READ_ONLY_PROPERTY, RBAC, "name: accountName", "name: accountName, kind: 'x'"),
    Fault(Rule.MISSING_PROPERTY, SITE, "    tenantId: tenant().tenantId\n", ""),
    Fault(Rule.MISSING_PROPERTY, STORAGE, "  location: location\n  kind", "  kind"),
    Fault(Rule.MISSING_PROPERTY, SITE, "      family: 'A'\n", ""),
    Fault(Rule.WRONG_VALUE, STORAGE, "bypass: 'None'", "bypass: 'Nobody'"),
    Fault(Rule.WRONG_VALUE, STORAGE, "kind: 'StorageV2'", "kind: 'storageV2'"),
    Fault(Rule.WRONG_VALUE, STORAGE, "? 'Deny' :", "? 'Denied' :"),
    Fault(Rule.WRONG_VALUE, SITE, "reserved: true", "reserved: 'true'"),
    Fault(Rule.WRONG_VALUE, SITE, "name: 'ftp'", "name: 'ftps'", Rule.LOCAL_AUTH),
    Fault(Rule.WRONG_VALUE, SITE, "instanceMemoryMB: 2048", "instanceMemoryMB: [2048]"),
    Fault(Rule.KEY_IN_USE, STORAGE, "= account.name", "= account.listKeys().keys[0].value"),
    Fault(Rule.KEY_IN_USE, STORAGE, "= account.name", "= listKeys(account.id, '2025-01-01').x"),
    Fault(Rule.KEY_IN_USE, SITE, "'kv-scorer'", "'AccountKey=${location}'"),
    Fault(Rule.SECRET_NOT_SECURE, SITE, "@secure()\n", ""),
    Fault(Rule.SECRET_DEFAULT, MAIN, "influxToken string = ''", "influxToken string = 'x'"),
    Fault(Rule.SECRET_OUTPUT, SITE, "string = workspace.id", "string = influxToken"),
    Fault(Rule.LOCAL_AUTH, STORAGE, "allowSharedKeyAccess: false", "allowSharedKeyAccess: true"),
    Fault(Rule.LOCAL_AUTH, STORAGE, "    allowSharedKeyAccess: false\n", ""),
    Fault(Rule.LOCAL_AUTH, STORAGE, "allowBlobPublicAccess: false", "allowBlobPublicAccess: true"),
    Fault(Rule.LOCAL_AUTH, SITE, "    DisableLocalAuth: true\n", ""),
    Fault(Rule.LOCAL_AUTH, SITE, "      disableLocalAuth: true\n", ""),
    Fault(Rule.LOCAL_AUTH, SITE, "enableRbacAuthorization: true", "enableRbacAuthorization: false"),
    Fault(Rule.LOCAL_AUTH, SITE, "    allow: false\n", "    allow: true\n"),
    Fault(
        Rule.ROLE_GUID,
        RBAC,
        "principalId, roles.storageBlobDataReader)",
        "principalId, '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1')",
        Rule.ROLE_ASSIGNMENT,
    ),
    Fault(Rule.ROLE_LIST, ROLES, "2a2b9908", "2a2b9909"),
    Fault(Rule.ROLE_LIST, ROLES, "{\n", '{\n  "owner": "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",\n'),
    Fault(
        Rule.ROLE_LIST,
        ROLES,
        "{\n",
        '{\n  "monitoringReader": "43d0d8ad-25c7-4714-9337-8ba259a9fe05",\n',
    ),
    Fault(Rule.ROLE_LIST, ROLES, "{\n", "{{\n", Rule.UNKNOWN_MEMBER),
    Fault(Rule.ROLE_ASSIGNMENT, RBAC, "guid(account.id, ", "guid("),
    Fault(Rule.ROLE_ASSIGNMENT, RBAC, "guid(account.id, ", "guid(resourceGroup().id, "),
    Fault(Rule.ROLE_ASSIGNMENT, RBAC, "account.id, principalId", "account.id, accountName"),
    Fault(
        Rule.ROLE_ASSIGNMENT,
        RBAC,
        "principalId, roles.storage",
        "principalId, roles.other_storage",
        Rule.UNKNOWN_MEMBER,
    ),
    Fault(Rule.ROLE_ASSIGNMENT, RBAC, "    principalType: 'ServicePrincipal'\n", ""),
    Fault(Rule.ROLES_FIRST, MAIN, "  dependsOn: [\n    rbac\n  ]\n", ""),
    Fault(Rule.APP_SETTING, SITE, "  FEATURE_KEYS: accountName\n", ""),
    Fault(Rule.APP_SETTING, SITE, "  FEATURE_KEYS:", "  MODEL_NAME:"),
    Fault(Rule.APP_SETTING, SITE, "  FEATURE_KEYS:", "  FEATURE_KEYZ: 'x'\n  FEATURE_KEYS:"),
    Fault(Rule.APP_SETTING, SITE, "  FEATURE_KEYS:", "  DATA_DIR: 'x'\n  FEATURE_KEYS:"),
    Fault(
        Rule.APP_SETTING, SITE, "empty(scoringSettings.?MODEL_R", "empty(scoringSettings.?MODEL_L"
    ),
    Fault(
        Rule.APP_SETTING,
        SITE,
        "  FEATURE_KEYS: accountName",
        "  FEATURE_KEYS: scoringSettings.?MODEL_NAME ?? ''",
    ),
    Fault(Rule.APP_SETTING, SITE, "  FEATURE_KEYS: accountName", "  FEATURE_KEYS: schedule"),
    Fault(Rule.APP_SETTING, PARAMETERS, '"MODEL_NAME"', '"MODEL_NAMES"'),
    Fault(Rule.APP_SETTING, "local.settings.json.example", '    "DATA_DIR": "",\n', ""),
    Fault(Rule.APP_SETTING, "local.settings.json.example", '"DATA_DIR"', '"OLD": "", "DATA_DIR"'),
    Fault(Rule.APP_SETTING, "docs/settings.md", "| `DATA_DIR` | 1 | both | |\n", ""),
    Fault(Rule.APP_SETTING, "docs/settings.md", "| `DATA_DIR` |", "| `OLD` |\n| `DATA_DIR` |"),
    Fault(Rule.BINDING, "function_app.py", "%EVENT_HUB_NAME%", "%EVENT_HUB%"),
    Fault(Rule.BINDING, "function_app.py", '"EventHubConnection"', '"EventHubs"'),
    Fault(Rule.BINDING, MAIN, "'function:score_events'", "'function:score_event'"),
    Fault(Rule.BINDING, PARAMETERS, "function:score_events", "function:score_event"),
)


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
