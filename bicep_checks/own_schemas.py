"""Describes by hand the resource types that the package has no schema for."""

from collections.abc import Mapping
from types import MappingProxyType

from bicep_checks.schema_types import ObjectType, Property, ResourceSchema

# From Azure's template reference. A word is a property; `!` required, `^` set by Azure; after the
# colon its type, where it is no text. What is not listed is not used here: add it when it is.
_BODY = "name! id^ type^ apiVersion^ location{} tags:Tags properties!:Properties"
_EVERYWHERE = {"Tags": "*"}
_ALERTING = {
    **_EVERYWHERE,
    "Dimension": "name! operator!:Include|Exclude values!:string[]",
}
_COMPARISON = "Equals|GreaterThan|GreaterThanOrEqual|LessThan|LessThanOrEqual"
_AGGREGATION = "Average|Count|Maximum|Minimum|Total"

_DESCRIBED: Mapping[str, tuple[str, str, Mapping[str, str]]] = {
    "Microsoft.Insights/metricAlerts": (
        "2018-03-01",
        _BODY.format("!"),
        {
            **_ALERTING,
            "Properties": "description severity!:int enabled!:bool scopes!:string[]"
            " evaluationFrequency! windowSize! targetResourceType targetResourceRegion"
            " criteria!:Criteria autoMitigate:bool actions:Action[]",
            "Criteria": "odata.type! allOf:Criterion[]",
            "Criterion": "criterionType!:StaticThresholdCriterion|DynamicThresholdCriterion"
            f" name! metricName! metricNamespace operator!:{_COMPARISON} threshold:any"
            f" timeAggregation!:{_AGGREGATION} dimensions:Dimension[] skipMetricValidation:bool",
            "Action": "actionGroupId webHookProperties:any",
        },
    ),
    "Microsoft.Insights/scheduledQueryRules": (
        "2023-12-01",
        _BODY.format("!") + " kind:LogAlert|LogToMetric identity:any",
        {
            **_ALERTING,
            "Properties": "displayName description severity:int enabled:bool scopes:string[]"
            " evaluationFrequency windowSize overrideQueryTimeRange muteActionsDuration"
            " targetResourceTypes:string[] criteria:Criteria autoMitigate:bool"
            " skipQueryValidation:bool checkWorkspaceAlertsStorageConfigured:bool actions:Actions",
            "Criteria": "allOf:Criterion[]",
            "Criterion": f"query timeAggregation:{_AGGREGATION} metricMeasureColumn"
            f" resourceIdColumn dimensions:Dimension[] operator:{_COMPARISON} threshold:any"
            " failingPeriods:FailingPeriods",
            "FailingPeriods": "numberOfEvaluationPeriods:int minFailingPeriodsToAlert:int",
            "Actions": "actionGroups:string[] customProperties:any actionProperties:any",
        },
    ),
    "Microsoft.Insights/actionGroups": (
        "2023-01-01",
        _BODY.format("!"),
        {
            **_EVERYWHERE,
            "Properties": "groupShortName! enabled!:bool emailReceivers:Email[]"
            " webhookReceivers:Webhook[] armRoleReceivers:Role[]",
            "Email": "name! emailAddress! useCommonAlertSchema:bool",
            "Webhook": "name! serviceUri! useCommonAlertSchema:bool useAadAuth:bool objectId"
            " identifierUri tenantId",
            "Role": "name! roleId! useCommonAlertSchema:bool",
        },
    ),
    "Microsoft.Insights/diagnosticSettings": (
        "2021-05-01-preview",
        "name! id^ type^ apiVersion^ properties!:Properties",
        {
            "Properties": "workspaceId storageAccountId eventHubAuthorizationRuleId eventHubName"
            " logAnalyticsDestinationType:Dedicated|AzureDiagnostics logs:Log[] metrics:Metric[]",
            "Log": "category categoryGroup enabled!:bool",
            "Metric": "category enabled!:bool",
        },
    ),
    "Microsoft.Network/privateDnsZones": (
        "2024-06-01",
        "name! id^ type^ apiVersion^ location! tags:Tags",
        _EVERYWHERE,
    ),
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks": (
        "2024-06-01",
        _BODY.format("!"),
        {
            **_EVERYWHERE,
            "Properties": "registrationEnabled:bool resolutionPolicy:Default|NxDomainRedirect"
            " virtualNetwork:Network",
            "Network": "id",
        },
    ),
}


def _object_type(words: str) -> ObjectType:
    if words == "*":
        return ObjectType({}, "string", None, ())
    found = (_property(word) for word in words.split())
    return ObjectType({one.name: one for one in found}, None, None, ())


def _property(word: str) -> Property:
    name, _, kind = word.partition(":")
    return Property(
        name.rstrip("!^"),
        (kind or "string").replace("|", " | "),
        is_read_only="^" in name,
        is_required="!" in name,
    )


def _schema(name: str, version: str, body: str, types: Mapping[str, str]) -> ResourceSchema:
    objects = {kind: _object_type(words) for kind, words in types.items()}
    return ResourceSchema(name, version, frozenset(), _object_type(body), objects)


OWN_SCHEMAS: Mapping[str, ResourceSchema] = MappingProxyType(
    {name: _schema(name, *described) for name, described in _DESCRIBED.items()}
)
