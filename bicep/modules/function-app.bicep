metadata description = 'The Function App on a Flex Consumption plan, with every app setting.'

@description('Name of the plan.')
param planName string

@description('Name of the Function App.')
param name string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Resource id of the app identity.')
param identityId string

@description('Client id of the app identity.')
param identityClientId string

@allowed(['3.11', '3.12', '3.13'])
@description('Version of Python.')
param pythonVersion string

@allowed([512, 2048, 4096])
@description('Memory of an instance in MB; processor share comes with it: a quarter, one, two.')
param instanceMemoryMB int

@minValue(1)
@maxValue(1000)
@description('Most instances at once, over all functions.')
param maximumInstanceCount int

@description('Instances that are kept running: objects with name (function:score_events, http) and instanceCount.')
param alwaysReady array

@minValue(1)
@maxValue(1000)
@description('HTTP requests that an instance takes at once.')
param httpConcurrency int

@minValue(1)
@maxValue(64)
@description('Threads of the Python worker: batches and requests that run side by side in an instance.')
param workerThreads int

@description('Whether instances are spread over availability zones.')
param zoneRedundant bool

@description('IPv4 ranges, such as 203.0.113.0/24, that may call the HTTP functions; empty for any.')
param httpAllowedIpRanges array

@description('Subnet that outgoing calls go through; empty for none.')
param subnetId string

@description('Name of the storage account of the Functions host.')
param hostAccountName string

@description('Address of the container that the package is deployed to.')
param deploymentContainerUrl string

@description('Name of the storage account of models, dead letters, spill and status.')
param modelsAccountName string

@description('Container that models are read from.')
param modelContainerName string

@description('Host name of the Event Hubs namespace.')
param eventHubsNamespace string

@description('Name of the event hub.')
param eventHubName string

@description('Name of the consumer group.')
param consumerGroupName string

@description('Address of the Cosmos DB account; empty where there is none.')
param cosmosEndpoint string

@description('Name of the Cosmos DB database.')
param cosmosDatabaseName string

@description('Name of the Cosmos DB container.')
param cosmosContainerName string

@description('Address of InfluxDB; empty where there is none.')
param influxUrl string

@description('Organisation in InfluxDB.')
param influxOrg string

@description('Bucket in InfluxDB.')
param influxBucket string

@description('Address of the vault secret that holds the InfluxDB token; empty where there is none.')
param influxTokenSecretUri string

@description('Where telemetry is sent.')
param applicationInsightsConnectionString string

@description('App settings of the scorer by name; one that is absent or empty has the default of docs/settings.md.')
param scoringSettings object

// The host knows no defaults for what bindings name.
var reloadSchedule = empty(scoringSettings.?MODEL_RELOAD_SCHEDULE) ? '0 */5 * * * *' : scoringSettings.MODEL_RELOAD_SCHEDULE
var drainSchedule = empty(scoringSettings.?SPILL_DRAIN_SCHEDULE) ? '*/30 * * * * *' : scoringSettings.SPILL_DRAIN_SCHEDULE

// Settings that are connections and identities stand last in the union: none can be replaced.
var appSettings = union(scoringSettings, {
  // Settings of the host and its Python worker.
  AzureWebJobsStorage__accountName: hostAccountName
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  PYTHON_THREADPOOL_THREAD_COUNT: string(workerThreads)
  // The worker brings protobuf, telemetry by OTLP another one.
  PYTHON_ISOLATE_WORKER_DEPENDENCIES: '1'
  // An instance has one core or two and scores on several threads; NumPy's own would only add to
  // them, as many as the machine underneath has cores.
  OMP_NUM_THREADS: '1'
  OPENBLAS_NUM_THREADS: '1'

  // Settings of the scorer, in the order of docs/settings.md.
  EventHubConnection__fullyQualifiedNamespace: eventHubsNamespace
  EventHubConnection__credential: 'managedidentity'
  EventHubConnection__clientId: identityClientId
  EVENT_HUB_NAME: eventHubName
  EVENT_HUB_CONSUMER_GROUP: consumerGroupName
  STORAGE_ACCOUNT_NAME: modelsAccountName
  MODEL_CONTAINER_NAME: modelContainerName
  MODEL_FILE_PATH: scoringSettings.?MODEL_FILE_PATH ?? ''
  MODEL_NAME: scoringSettings.?MODEL_NAME ?? ''
  MODEL_ROUTES: scoringSettings.?MODEL_ROUTES ?? ''
  TRUSTED_MODEL_TYPES: scoringSettings.?TRUSTED_MODEL_TYPES ?? ''
  FEATURE_KEYS: scoringSettings.?FEATURE_KEYS ?? ''
  SENSOR_ID_KEYS: scoringSettings.?SENSOR_ID_KEYS ?? ''
  MISSING_FEATURES: scoringSettings.?MISSING_FEATURES ?? ''
  TIME_TIE_BREAK: scoringSettings.?TIME_TIE_BREAK ?? ''
  MODEL_REFRESH_SECONDS: scoringSettings.?MODEL_REFRESH_SECONDS ?? ''
  MODEL_RELOAD_SCHEDULE: reloadSchedule
  ATTRIBUTION_MAX_READINGS: scoringSettings.?ATTRIBUTION_MAX_READINGS ?? ''
  SPILL_DRAIN_SCHEDULE: drainSchedule
  SPILL_MAX_MB: scoringSettings.?SPILL_MAX_MB ?? ''
  FAST_DECODING: scoringSettings.?FAST_DECODING ?? ''
  INFLUXDB_URL: influxUrl
  INFLUXDB_ORG: influxOrg
  INFLUXDB_BUCKET: influxBucket
  INFLUXDB_TOKEN: empty(influxTokenSecretUri) ? '' : '@Microsoft.KeyVault(SecretUri=${influxTokenSecretUri})'
  COSMOS_ENDPOINT: cosmosEndpoint
  COSMOS_DATABASE: cosmosDatabaseName
  COSMOS_CONTAINER: cosmosContainerName
  COSMOS_WRITE: scoringSettings.?COSMOS_WRITE ?? ''
  APPLICATIONINSIGHTS_CONNECTION_STRING: applicationInsightsConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
  OTEL_EXPORTER_OTLP_ENDPOINT: scoringSettings.?OTEL_EXPORTER_OTLP_ENDPOINT ?? ''
  OTEL_METRIC_EXPORT_INTERVAL: scoringSettings.?OTEL_METRIC_EXPORT_INTERVAL ?? ''
  OTEL_TRACES_SAMPLER_ARG: scoringSettings.?OTEL_TRACES_SAMPLER_ARG ?? ''
  AZURE_CLIENT_ID: identityClientId
})
var ipRestrictions = [for (address, index) in httpAllowedIpRanges: {
  name: 'allowed-${index}'
  priority: 100 + index
  action: 'Allow'
  ipAddress: address
}]

resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  // checkov:skip=CKV_AZURE_225: a parameter, because not every region has zones
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
    zoneRedundant: zoneRedundant
  }
}

resource site 'Microsoft.Web/sites@2024-11-01' = {
  // checkov:skip=CKV_AZURE_17: callers have a function key; few tools of a plant can show a certificate
  // checkov:skip=CKV_AZURE_212: alwaysReady is how this plan keeps instances
  // checkov:skip=CKV_AZURE_213: this plan has no health check; alerts watch the scorer
  // checkov:skip=CKV_AZURE_222: scoring over HTTP is what it offers; httpAllowedIpRanges narrows it
  name: name
  location: location
  // the service of azure.yaml whose code is deployed here
  tags: union(tags, { 'azd-service-name': 'scorer' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: false
    // Here and not in siteConfig, where it is ignored.
    keyVaultReferenceIdentity: identityId
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    // known to the service and not to its published types
    #disable-next-line BCP037
    functionsRuntimeAdminIsolationEnabled: true
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: deploymentContainerUrl
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'python'
        version: pythonVersion
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        alwaysReady: alwaysReady
        triggers: {
          http: {
            perInstanceConcurrency: httpConcurrency
          }
        }
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      ftpsState: 'Disabled'
      http20Enabled: true
      remoteDebuggingEnabled: false
      ipSecurityRestrictions: ipRestrictions
      ipSecurityRestrictionsDefaultAction: empty(httpAllowedIpRanges) ? 'Allow' : 'Deny'
      // deployments come from elsewhere than callers, and have to sign in
      scmIpSecurityRestrictionsUseMain: false
      appSettings: [for setting in items(appSettings): {
        name: setting.key
        value: setting.value
      }]
    }
  }
}

resource ftpPublishing 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: site
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource scmPublishing 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: site
  name: 'scm'
  properties: {
    allow: false
  }
  // changes of one site at the same time conflict
  dependsOn: [
    ftpPublishing
  ]
}

@description('Name of the site.')
output name string = site.name

@description('Address of the HTTP functions.')
output uri string = 'https://${site.properties.defaultHostName}'
