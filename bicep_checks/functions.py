"""Knows which functions Bicep has, so that a misspelt one is found."""

# From Bicep's function reference, without the list* functions, which read keys.
_ANYWHERE = """
any array az base64 base64ToJson base64ToString bool buildUri cidrHost cidrSubnet concat contains
copyIndex createArray createObject dataUri dataUriToString dateTimeAdd dateTimeFromEpoch
dateTimeToEpoch deployer deployment empty endsWith environment extensionResourceId fail filter
first flatten format getSecret groupBy guid indexOf int intersection items join json last
lastIndexOf length loadDirectoryFileInfo loadFileAsBase64 loadJsonContent loadTextContent
loadYamlContent managementGroup managementGroupResourceId map mapValues max min newGuid
nameof objectKeys padLeft parseCidr parseUri pickZones providers range reduce reference replace
resourceGroup resourceId shallowMerge skip sort split startsWith string subscription
subscriptionResourceId substring take tenant tenantResourceId toLogicalZone toLower toObject
toPhysicalZone toUpper trim union uniqueString uri uriComponent uriComponentToString utcNow
"""
_DECORATORS = """
allowed batchSize description discriminator export maxLength maxValue metadata minLength minValue
onlyIfNotExists retryOn sealed secure sys
"""
FUNCTIONS = frozenset(_ANYWHERE.split())
DECORATORS = frozenset(_DECORATORS.split())
NAMESPACES = frozenset({"az", "sys"})
