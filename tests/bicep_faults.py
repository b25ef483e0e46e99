"""Edits of a Bicep project, of which each breaks one rule."""

from dataclasses import dataclass

from bicep_checks.deployment import MAIN, PARAMETERS, ROLES
from bicep_checks.findings import Rule

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
