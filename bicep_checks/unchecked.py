"""Lists what the offline schemas do not know, each with its reason."""

from collections.abc import Mapping
from types import MappingProxyType

# Types without an offline schema: their version is held here, their properties are Bicep's to
# check in CI.
_NO_SCHEMA = "msmcp-azure 3.0.0 has no schema for it; "
UNCHECKED_TYPES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "Microsoft.Insights/metricAlerts": ("2018-03-01", _NO_SCHEMA + "the only version"),
        "Microsoft.Insights/scheduledQueryRules": ("2023-12-01", _NO_SCHEMA + "newest stable"),
        "Microsoft.Insights/actionGroups": ("2023-01-01", _NO_SCHEMA + "newest stable"),
        "Microsoft.Insights/diagnosticSettings": (
            "2021-05-01-preview",
            _NO_SCHEMA + "the version that every service takes",
        ),
        "Microsoft.Network/privateDnsZones": ("2024-06-01", _NO_SCHEMA + "newest stable"),
        "Microsoft.Network/privateDnsZones/virtualNetworkLinks": (
            "2024-06-01",
            _NO_SCHEMA + "newest stable",
        ),
    }
)

# Properties that Azure takes and the schema of that version lacks.
EXTRA_PROPERTIES: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        (
            "Microsoft.Web/sites",
            "properties.functionsRuntimeAdminIsolationEnabled",
        ): "keeps /admin away from callers from outside; documented, absent from the schema",
    }
)
# Bicep's own, on every resource.
OWN_PROPERTIES = frozenset({"parent", "scope", "dependsOn"})
