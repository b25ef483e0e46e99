targetScope = 'subscription'

metadata name = 'Anomaly Scorer'
metadata description = 'Makes the resource group and deploys app.bicep to it; its parameters are those of app.bicep, with the same defaults.'

// Who and where

@minLength(1)
@maxLength(64)
@description('Name of the environment, such as prod: it makes names unique and stands in tags.')
param environmentName string

@minLength(1)
@description('Azure region of every resource.')
param location string

@maxLength(90)
@description('Name of the resource group; empty for one by the rule of names.')
param resourceGroupName string = ''

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

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: empty(resourceGroupName) ? '${abbreviations.resourceGroup}-${environmentName}' : resourceGroupName
  location: location
  tags: union(tags, { 'azd-env-name': environmentName })
}

module app 'app.bicep' = {
  name: 'app'
  scope: group
  params: {
    environmentName: environmentName
    location: location
    tags: tags
    principalId: principalId
    principalType: principalType
    eventHubPartitions: eventHubPartitions
    eventHubRetentionHours: eventHubRetentionHours
    eventHubThroughputUnits: eventHubThroughputUnits
    eventHubMaximumThroughputUnits: eventHubMaximumThroughputUnits
    pythonVersion: pythonVersion
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    alwaysReady: alwaysReady
    httpConcurrency: httpConcurrency
    workerThreads: workerThreads
    zoneRedundant: zoneRedundant
    modelAdminOverHttp: modelAdminOverHttp
    httpAllowedIpRanges: httpAllowedIpRanges
    scoringSettings: scoringSettings
    cosmosMode: cosmosMode
    cosmosMaximumThroughput: cosmosMaximumThroughput
    cosmosTtlDays: cosmosTtlDays
    influxUrl: influxUrl
    influxOrg: influxOrg
    influxBucket: influxBucket
    influxToken: influxToken
    deadLetterDays: deadLetterDays
    softDeleteDays: softDeleteDays
    vnetEnabled: vnetEnabled
    vnetAddressPrefix: vnetAddressPrefix
    vnetAppSubnetPrefix: vnetAppSubnetPrefix
    vnetEndpointSubnetPrefix: vnetEndpointSubnetPrefix
    natGatewayEnabled: natGatewayEnabled
    allowedIpRanges: allowedIpRanges
    logRetentionDays: logRetentionDays
    dailyCapGb: dailyCapGb
    alertEmails: alertEmails
    alertWebhookUrl: alertWebhookUrl
    alertTeamsWorkflowUrl: alertTeamsWorkflowUrl
    alertFrequency: alertFrequency
    disabledAlerts: disabledAlerts
    maximumLagSeconds: maximumLagSeconds
    maximumRejectedPercent: maximumRejectedPercent
    maximumSinkFailures: maximumSinkFailures
    maximumSpillMinutes: maximumSpillMinutes
    alertWhenNothingIsSent: alertWhenNothingIsSent
    maximumAnomalyPercent: maximumAnomalyPercent
    maximumModelAgeDays: maximumModelAgeDays
    timerSilentWindow: timerSilentWindow
  }
}

// For azd, and under the names of docs/settings.md: what this machine needs to send, publish and
// replay is in `azd env get-values`. No secret is among them.

@description('Azure region of every resource.')
output AZURE_LOCATION string = app.outputs.AZURE_LOCATION

@description('Tenant of the subscription.')
output AZURE_TENANT_ID string = app.outputs.AZURE_TENANT_ID

@description('Resource group of every resource.')
output AZURE_RESOURCE_GROUP string = app.outputs.AZURE_RESOURCE_GROUP

@description('Name of the Function App.')
output SERVICE_SCORER_NAME string = app.outputs.SERVICE_SCORER_NAME

@description('Address of the HTTP functions.')
output SERVICE_SCORER_ENDPOINT_URL string = app.outputs.SERVICE_SCORER_ENDPOINT_URL

@description('Client id of the app identity.')
output SERVICE_SCORER_IDENTITY_CLIENT_ID string = app.outputs.SERVICE_SCORER_IDENTITY_CLIENT_ID

@description('Where telemetry is sent.')
output APPLICATIONINSIGHTS_CONNECTION_STRING string = app.outputs.APPLICATIONINSIGHTS_CONNECTION_STRING

@description('Host name of the Event Hubs namespace.')
output EventHubConnection__fullyQualifiedNamespace string = app.outputs.EventHubConnection__fullyQualifiedNamespace

@description('Name of the event hub.')
output EVENT_HUB_NAME string = app.outputs.EVENT_HUB_NAME

@description('Storage account of models, dead letters, spill and status.')
output STORAGE_ACCOUNT_NAME string = app.outputs.STORAGE_ACCOUNT_NAME

@description('Container that models are read from.')
output MODEL_CONTAINER_NAME string = app.outputs.MODEL_CONTAINER_NAME

@description('Address of the Cosmos DB account; empty where there is none.')
output COSMOS_ENDPOINT string = app.outputs.COSMOS_ENDPOINT

@description('Name of the Cosmos DB database.')
output COSMOS_DATABASE string = app.outputs.COSMOS_DATABASE

@description('Name of the Cosmos DB container.')
output COSMOS_CONTAINER string = app.outputs.COSMOS_CONTAINER

@description('Name of the vault; empty where there is none.')
output AZURE_KEY_VAULT_NAME string = app.outputs.AZURE_KEY_VAULT_NAME

@description('Name of the secret in the vault that holds the InfluxDB token; empty where there is none.')
output INFLUXDB_TOKEN_NAME string = app.outputs.INFLUXDB_TOKEN_NAME
