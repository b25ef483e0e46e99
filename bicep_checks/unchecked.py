"""Lists what schemas do not know and Azure takes, each with its reason."""

from collections.abc import Mapping
from types import MappingProxyType

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
