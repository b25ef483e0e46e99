targetScope = 'resourceGroup'

metadata name = 'Anomaly Scorer'
metadata description = 'The whole system in one resource group. main.bicep makes the group and calls this; where the group is there already, deploy this file alone.'

// Who and where

@minLength(1)
@maxLength(64)
@description('Name of the environment, such as prod: it makes names unique and stands in tags.')
param environmentName string

@minLength(1)
@description('Azure region of every resource.')
param location string = resourceGroup().location

@description('Tags of every resource, beside azd\'s own.')
param tags object = {}

@description('Object id of whoever sends readings, publishes models and replays dead letters; empty for nobody.')
param principalId string = ''

@allowed(['User', 'Group', 'ServicePrincipal'])
@description('What that principal is.')
param principalType string = 'User'

// Event Hubs

@minValue(1)
@maxValue(32)
@description('Partitions of the event hub. It bounds how many instances score at once, and cannot be changed later.')
param eventHubPartitions int = 4

@minValue(1)
@maxValue(168)
@description('Hours that events are kept, which is how long scoring may be down without a loss.')
param eventHubRetentionHours int = 168

@minValue(1)
@maxValue(40)
@description('Throughput units: 1 MB or 1,000 events a second in for each.')
param eventHubThroughputUnits int = 1

@minValue(0)
@maxValue(40)
@description('Throughput units that Event Hubs may grow to by itself; 0 for no growth. It does not shrink again.')
param eventHubMaximumThroughputUnits int = 0

// Function App

@allowed(['3.11', '3.12', '3.13'])
@description('Version of Python. Read docs/deploy.md before another than 3.11: a remote build may install for 3.11 all the same.')
param pythonVersion string = '3.11'

@allowed([512, 2048, 4096])
@description('Memory of an instance in MB; processor share comes with it: a quarter of a core, one, two.')
param instanceMemoryMB int = 2048

// 32 partitions are 32 scorers at most; each timer and HTTP have instances of their own. Scaling
// asks for no more scorers than there are partitions, so a higher bound costs nothing.
@minValue(1)
@maxValue(1000)
@description('Most instances at once, over all functions. Leave room beside the scorers for timers and HTTP.')
param maximumInstanceCount int = 40

@description('Instances that are kept running and paid for: [{"name": "function:score_events", "instanceCount": 1}]. Empty: the first event after a pause waits for a start.')
param alwaysReady array = []

@minValue(1)
@maxValue(1000)
@description('HTTP requests that an instance takes at once.')
param httpConcurrency int = 4

@minValue(1)
@maxValue(64)
@description('Threads of the Python worker: partitions and requests that one instance works on side by side.')
param workerThreads int = 4

@description('Whether instances, storage and documents are spread over availability zones; needs a region that has them.')
param zoneRedundant bool = false

@description('Whether the app may write models, for its routes that promote and publish; false: it only reads them.')
param modelAdminOverHttp bool = false

@description('IPv4 ranges, such as 203.0.113.0/24, that may call the HTTP functions; empty for any. Keys are asked for either way.')
param httpAllowedIpRanges array = []

@description('App settings of the scorer by their names in docs/settings.md, as texts. One that is absent or empty has its default there; SPILL_MAX_MB begins with a digit and has no exponent; those of connections and identities cannot be replaced.')
param scoringSettings object = {}

// Stores

@allowed(['serverless', 'autoscale', 'off'])
@description('How Cosmos DB is paid for. off is heeded only where InfluxDB is set, because scores need a store.')
param cosmosMode string = 'serverless'

@minValue(1000)
@description('Most request units a second under autoscale, in steps of 1000.')
param cosmosMaximumThroughput int = 4000

@minValue(1)
@maxValue(24000)
@description('Days that a document is kept after it was last written.')
param cosmosTtlDays int = 90

@description('Address of InfluxDB 2, such as https://influx.example.com; empty for none.')
param influxUrl string = ''

@description('Organisation in InfluxDB.')
param influxOrg string = ''

@description('Bucket in InfluxDB.')
param influxBucket string = ''

@secure()
@description('Token that may write to the bucket. Empty: set it in the vault by hand, then restart the app.')
param influxToken string = ''

@minValue(0)
@description('Days after which a dead letter is deleted; 0 keeps them for ever.')
param deadLetterDays int = 365

@minValue(1)
@maxValue(365)
@description('Days that a deleted or overwritten model, dead letter or spilled batch can be brought back.')
param softDeleteDays int = 14

// Network

@description('Whether the data services are reached through a virtual network only. Register the provider Microsoft.App first: az provider register --namespace Microsoft.App.')
param vnetEnabled bool = false

@description('Address range of the virtual network.')
param vnetAddressPrefix string = '10.60.0.0/24'

@description('Range in it for instances, at least a /27; a /26 does for 40 of them.')
param vnetAppSubnetPrefix string = '10.60.0.0/26'

@description('Range in it for private endpoints.')
param vnetEndpointSubnetPrefix string = '10.60.0.64/27'

@description('Whether calls out of the network, such as to InfluxDB, come from one fixed address (NAT gateway).')
param natGatewayEnabled bool = false

@description('IPv4 addresses or ranges up to /30 that reach Event Hubs, model storage, Cosmos DB and the vault from outside the network: gateways that send, people who publish.')
param allowedIpRanges array = []

// Monitoring

@minValue(30)
@maxValue(730)
@description('Days that logs and metrics are kept.')
param logRetentionDays int = 30

@minValue(-1)
@description('Gigabytes a day after which no more logs are taken until the next day; -1 for no bound.')
param dailyCapGb int = 5

@description('Mail addresses that are told of alerts. A Teams channel is told through its own address.')
param alertEmails array = []

@secure()
@description('Address that takes alerts in the common alert schema by POST; empty for none.')
param alertWebhookUrl string = ''

@secure()
@description('Address of a Teams workflow that makes a message from the common alert schema; empty for none.')
param alertTeamsWorkflowUrl string = ''

@allowed(['PT5M', 'PT10M'])
@description('How often the alert rules look. More often costs more.')
param alertFrequency string = 'PT5M'

@description('Names of alert rules that are not to fire, such as drift.')
param disabledAlerts array = []

@minValue(1)
@description('Lag in seconds above which there is an alert.')
param maximumLagSeconds int = 180

@minValue(1)
@maxValue(100)
@description('Percent of rejected readings above which there is an alert.')
param maximumRejectedPercent int = 5

@minValue(0)
@description('Failed writes of a store in 15 minutes above which there is an alert. A few heal by trying again.')
param maximumSinkFailures int = 3

@minValue(1)
@description('Minutes above which a spilled batch has waited too long for its store.')
param maximumSpillMinutes int = 15

@description('Whether there is an alert when nobody sent an event for an hour. Off where a plant may rest.')
param alertWhenNothingIsSent bool = false

@minValue(1)
@maxValue(100)
@description('Percent of anomalies of a model above which there is an alert.')
param maximumAnomalyPercent int = 20

@minValue(0)
@description('Days after which the model in use is too old; 0 for no alert.')
param maximumModelAgeDays int = 0

@allowed(['PT30M', 'PT45M', 'PT1H', 'PT2H', 'PT6H', 'P1D'])
@description('How long a timer may not run. At least twice as long as the schedules of the timers.')
param timerSilentWindow string = 'PT30M'

var abbreviations = loadJsonContent('abbreviations.json')
// The one rule of names: abbreviation, then a token that is the same at every deployment of this
// environment to this group; without the hyphen where a service takes letters and digits only.
var token = toLower(uniqueString(resourceGroup().id, environmentName, location))
var allTags = union(tags, { 'azd-env-name': environmentName })
// Defaults of docs/settings.md, except for the consumer group, which is the scorer's own.
var eventHubName = 'sensor-features'
var consumerGroupName = 'anomaly-scorer'
var cosmosAccountName = '${abbreviations.cosmosAccount}-${token}'
var keyVaultName = '${abbreviations.keyVault}-${token}'
var cosmosDatabaseName = 'iot-sensor-db'
var cosmosContainerName = 'anomalies'

var withInflux = !empty(influxUrl)
var withCosmos = cosmosMode != 'off' || !withInflux
// Three quarters of what may wait, whole megabytes. Bicep reads whole numbers only: .5 or 1e3 would fail.
var spillMaxMb = empty(scoringSettings.?SPILL_MAX_MB) ? '1024' : scoringSettings.SPILL_MAX_MB
var maximumSpillMegabytes = int(split(spillMaxMb, '.')[0]) * 3 / 4
var outsideAccess = vnetEnabled && empty(allowedIpRanges) ? 'Disabled' : 'Enabled'
var blobZone = 'privatelink.blob.${environment().suffixes.storage}'
var eventHubsZone = 'privatelink.servicebus.windows.net'
var cosmosZone = 'privatelink.documents.azure.com'
var vaultZone = 'privatelink.vaultcore.azure.net'
var endpointPrefix = '${abbreviations.privateEndpoint}-${token}'

module identity 'modules/identity.bicep' = {
  name: 'identity'
  params: {
    name: '${abbreviations.identity}-${token}'
    location: location
    tags: allTags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  params: {
    workspaceName: '${abbreviations.logAnalytics}-${token}'
    applicationInsightsName: '${abbreviations.applicationInsights}-${token}'
    location: location
    tags: allTags
    retentionDays: logRetentionDays
    dailyCapGb: dailyCapGb
  }
}

module storageHost 'modules/storage-host.bicep' = {
  name: 'storage-host'
  params: {
    name: '${abbreviations.storageHost}${token}'
    location: location
    tags: allTags
    zoneRedundant: zoneRedundant
    isolated: vnetEnabled
  }
}

module storageModels 'modules/storage-models.bicep' = {
  name: 'storage-models'
  params: {
    name: '${abbreviations.storageModels}${token}'
    location: location
    tags: allTags
    zoneRedundant: zoneRedundant
    softDeleteDays: softDeleteDays
    deadLetterDays: deadLetterDays
    isolated: vnetEnabled
    publicNetworkAccess: outsideAccess
    allowedIpRanges: allowedIpRanges
  }
}

module eventHubs 'modules/eventhubs.bicep' = {
  name: 'eventhubs'
  params: {
    namespaceName: '${abbreviations.eventHubsNamespace}-${token}'
    eventHubName: eventHubName
    consumerGroupName: consumerGroupName
    location: location
    tags: allTags
    partitionCount: eventHubPartitions
    retentionHours: eventHubRetentionHours
    throughputUnits: eventHubThroughputUnits
    maximumThroughputUnits: eventHubMaximumThroughputUnits
    isolated: vnetEnabled
    publicNetworkAccess: outsideAccess
    allowedIpRanges: allowedIpRanges
  }
}

module cosmos 'modules/cosmos.bicep' = if (withCosmos) {
  name: 'cosmos'
  params: {
    accountName: cosmosAccountName
    databaseName: cosmosDatabaseName
    containerName: cosmosContainerName
    location: location
    tags: allTags
    capacityMode: cosmosMode == 'autoscale' ? 'autoscale' : 'serverless'
    maximumThroughput: cosmosMaximumThroughput
    ttlDays: cosmosTtlDays
    zoneRedundant: zoneRedundant
    isolated: vnetEnabled
    publicNetworkAccess: outsideAccess
    allowedIpRanges: allowedIpRanges
  }
}

module keyVault 'modules/keyvault.bicep' = if (withInflux) {
  name: 'keyvault'
  params: {
    name: keyVaultName
    location: location
    tags: allTags
    influxToken: influxToken
    isolated: vnetEnabled
    publicNetworkAccess: outsideAccess
    allowedIpRanges: allowedIpRanges
  }
}

module rbac 'modules/rbac.bicep' = {
  name: 'rbac'
  params: {
    appPrincipalId: identity.outputs.principalId
    developerPrincipalId: principalId
    developerPrincipalType: principalType
    appWritesModels: modelAdminOverHttp
    hostAccountName: storageHost.outputs.name
    modelsAccountName: storageModels.outputs.name
    modelContainerName: storageModels.outputs.modelContainerName
    deadLetterContainerName: storageModels.outputs.deadLetterContainerName
    writtenContainerNames: storageModels.outputs.writtenContainerNames
    eventHubsNamespaceName: eventHubs.outputs.namespaceName
    eventHubName: eventHubs.outputs.eventHubName
    applicationInsightsName: monitoring.outputs.applicationInsightsName
    hasCosmos: withCosmos
    cosmosAccountName: cosmosAccountName
    cosmosDatabaseName: cosmosDatabaseName
    cosmosContainerName: cosmosContainerName
    hasVault: withInflux
    keyVaultName: keyVaultName
  }
  // named, and not taken from outputs: a condition that is false still needs a valid name
  dependsOn: [
    cosmos
    keyVault
  ]
}

var storageEndpoints = [
  {
    name: '${endpointPrefix}-host'
    resourceId: storageHost.outputs.id
    groupId: 'blob'
    zone: blobZone
  }
  {
    name: '${endpointPrefix}-models'
    resourceId: storageModels.outputs.id
    groupId: 'blob'
    zone: blobZone
  }
]
var eventHubsEndpoints = [
  {
    name: '${endpointPrefix}-eventhubs'
    resourceId: eventHubs.outputs.id
    groupId: 'namespace'
    zone: eventHubsZone
  }
]
var cosmosEndpoints = [
  {
    name: '${endpointPrefix}-cosmos'
    resourceId: withCosmos ? cosmos!.outputs.id : ''
    groupId: 'Sql'
    zone: cosmosZone
  }
]
var vaultEndpoints = [
  {
    name: '${endpointPrefix}-vault'
    resourceId: withInflux ? keyVault!.outputs.id : ''
    groupId: 'vault'
    zone: vaultZone
  }
]

module network 'modules/network.bicep' = if (vnetEnabled) {
  name: 'network'
  params: {
    virtualNetworkName: '${abbreviations.virtualNetwork}-${token}'
    networkSecurityGroupName: '${abbreviations.networkSecurityGroup}-${token}'
    natGatewayName: '${abbreviations.natGateway}-${token}'
    publicIpName: '${abbreviations.publicIp}-${token}'
    location: location
    tags: allTags
    addressPrefix: vnetAddressPrefix
    appSubnetPrefix: vnetAppSubnetPrefix
    endpointSubnetPrefix: vnetEndpointSubnetPrefix
    natGatewayEnabled: natGatewayEnabled
    zoneNames: concat([blobZone, eventHubsZone], withCosmos ? [cosmosZone] : [], withInflux ? [vaultZone] : [])
    // Blob alone of the accounts: the app uses neither queues nor tables.
    endpoints: concat(storageEndpoints, eventHubsEndpoints, withCosmos ? cosmosEndpoints : [], withInflux ? vaultEndpoints : [])
  }
  // a role and a private endpoint are both changes of the Cosmos DB account, which takes one at a time
  dependsOn: [
    rbac
  ]
}

// After all roles, and after the private endpoints by the subnet that it is given.
module functionApp 'modules/function-app.bicep' = {
  name: 'function-app'
  params: {
    planName: '${abbreviations.functionPlan}-${token}'
    name: '${abbreviations.functionApp}-${token}'
    location: location
    tags: allTags
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    pythonVersion: pythonVersion
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    alwaysReady: alwaysReady
    httpConcurrency: httpConcurrency
    workerThreads: workerThreads
    zoneRedundant: zoneRedundant
    httpAllowedIpRanges: httpAllowedIpRanges
    subnetId: vnetEnabled ? network!.outputs.appSubnetId : ''
    hostAccountName: storageHost.outputs.name
    deploymentContainerUrl: storageHost.outputs.deploymentContainerUrl
    modelsAccountName: storageModels.outputs.name
    modelContainerName: storageModels.outputs.modelContainerName
    eventHubsNamespace: eventHubs.outputs.fullyQualifiedNamespace
    eventHubName: eventHubs.outputs.eventHubName
    consumerGroupName: eventHubs.outputs.consumerGroupName
    cosmosEndpoint: withCosmos ? cosmos!.outputs.endpoint : ''
    cosmosDatabaseName: cosmosDatabaseName
    cosmosContainerName: cosmosContainerName
    influxUrl: influxUrl
    influxOrg: influxOrg
    influxBucket: influxBucket
    influxTokenSecretUri: withInflux ? keyVault!.outputs.secretUri : ''
    applicationInsightsConnectionString: monitoring.outputs.connectionString
    scoringSettings: scoringSettings
  }
  dependsOn: [
    rbac
  ]
}

module diagnostics 'modules/diagnostics.bicep' = {
  name: 'diagnostics'
  params: {
    workspaceId: monitoring.outputs.workspaceId
    eventHubsNamespaceName: eventHubs.outputs.namespaceName
    hostAccountName: storageHost.outputs.name
    modelsAccountName: storageModels.outputs.name
    functionAppName: functionApp.outputs.name
    hasCosmos: withCosmos
    cosmosAccountName: cosmosAccountName
    hasVault: withInflux
    keyVaultName: keyVaultName
  }
  dependsOn: [
    cosmos
    keyVault
  ]
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  params: {
    namePrefix: 'scoring-${token}'
    location: location
    tags: allTags
    workspaceId: monitoring.outputs.workspaceId
    eventHubsNamespaceId: eventHubs.outputs.id
    cosmosAccountId: withCosmos ? cosmos!.outputs.id : ''
    alertEmails: alertEmails
    alertWebhookUrl: alertWebhookUrl
    alertTeamsWorkflowUrl: alertTeamsWorkflowUrl
    evaluationFrequency: alertFrequency
    disabledAlerts: disabledAlerts
    maximumLagSeconds: maximumLagSeconds
    maximumRejectedPercent: maximumRejectedPercent
    maximumSinkFailures: maximumSinkFailures
    maximumSpillMinutes: maximumSpillMinutes
    alertWhenNothingIsSent: alertWhenNothingIsSent
    maximumAnomalyPercent: maximumAnomalyPercent
    maximumModelAgeDays: maximumModelAgeDays
    maximumSpillMegabytes: maximumSpillMegabytes
    timerSilentWindow: timerSilentWindow
  }
  // the rule that misses batches reads metrics that the diagnostic settings send
  dependsOn: [
    diagnostics
  ]
}

module workbook 'modules/workbook.bicep' = {
  name: 'workbook'
  params: {
    namePrefix: 'scoring-${token}'
    location: location
    tags: allTags
    workspaceId: monitoring.outputs.workspaceId
  }
}

// For azd, and under the names of docs/settings.md: what this machine needs to send, publish and
// replay is in `azd env get-values`. No secret is among them.

@description('Azure region of every resource.')
output AZURE_LOCATION string = location

@description('Tenant of the subscription.')
output AZURE_TENANT_ID string = tenant().tenantId

@description('Resource group of every resource.')
output AZURE_RESOURCE_GROUP string = resourceGroup().name

@description('Name of the Function App.')
output SERVICE_SCORER_NAME string = functionApp.outputs.name

@description('Address of the HTTP functions.')
output SERVICE_SCORER_ENDPOINT_URL string = functionApp.outputs.uri

@description('Client id of the app identity.')
output SERVICE_SCORER_IDENTITY_CLIENT_ID string = identity.outputs.clientId

@description('Where telemetry is sent.')
output APPLICATIONINSIGHTS_CONNECTION_STRING string = monitoring.outputs.connectionString

@description('Host name of the Event Hubs namespace.')
output EventHubConnection__fullyQualifiedNamespace string = eventHubs.outputs.fullyQualifiedNamespace

@description('Name of the event hub.')
output EVENT_HUB_NAME string = eventHubs.outputs.eventHubName

@description('Storage account of models, dead letters, spill and status.')
output STORAGE_ACCOUNT_NAME string = storageModels.outputs.name

@description('Container that models are read from.')
output MODEL_CONTAINER_NAME string = storageModels.outputs.modelContainerName

@description('Address of the Cosmos DB account; empty where there is none.')
output COSMOS_ENDPOINT string = withCosmos ? cosmos!.outputs.endpoint : ''

@description('Name of the Cosmos DB database.')
output COSMOS_DATABASE string = cosmosDatabaseName

@description('Name of the Cosmos DB container.')
output COSMOS_CONTAINER string = cosmosContainerName

@description('Name of the vault; empty where there is none.')
output AZURE_KEY_VAULT_NAME string = withInflux ? keyVaultName : ''

@description('Name of the secret in the vault that holds the InfluxDB token; empty where there is none.')
output INFLUXDB_TOKEN_NAME string = withInflux ? keyVault!.outputs.secretName : ''
