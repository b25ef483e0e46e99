metadata description = 'Sends what the services themselves know to the workspace.'

// Metrics of every service, and logs of what people and deployments do. Logs of every single read
// and write are left out: a scorer makes thousands an hour, and its own telemetry counts them.

@description('Resource id of the workspace.')
param workspaceId string

@description('Name of the Event Hubs namespace.')
param eventHubsNamespaceName string

@description('Name of the storage account of the Functions host.')
param hostAccountName string

@description('Name of the storage account of models, dead letters, spill and status.')
param modelsAccountName string

@description('Name of the Function App.')
param functionAppName string

@description('Whether there is a Cosmos DB account.')
param hasCosmos bool

@description('Name of the Cosmos DB account.')
param cosmosAccountName string

@description('Whether there is a vault.')
param hasVault bool

@description('Name of the vault.')
param keyVaultName string

var settingName = 'to-workspace'

resource hubNamespace 'Microsoft.EventHub/namespaces@2024-01-01' existing = {
  name: eventHubsNamespaceName
}

resource hostAccount 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: hostAccountName
}

resource hostBlobs 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' existing = {
  parent: hostAccount
  name: 'default'
}

resource modelsAccount 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: modelsAccountName
}

resource modelsBlobs 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' existing = {
  parent: modelsAccount
  name: 'default'
}

resource site 'Microsoft.Web/sites@2024-11-01' existing = {
  name: functionAppName
}

resource cosmosAccount 'Microsoft.DocumentDB/databaseAccounts@2025-04-15' existing = {
  name: cosmosAccountName
}

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: keyVaultName
}

// The metrics tell a plant that sends nothing from a scorer that reads nothing.
resource eventHubsDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: settingName
  scope: hubNamespace
  properties: {
    workspaceId: workspaceId
    logs: [
      { category: 'OperationalLogs', enabled: true }
    ]
    metrics: [
      { category: 'AllMetrics', enabled: true }
    ]
  }
}

resource hostDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: settingName
  scope: hostBlobs
  properties: {
    workspaceId: workspaceId
    metrics: [
      { category: 'Transaction', enabled: true }
    ]
  }
}

// Who deleted what is worth its price here: models, and readings that wait.
resource modelsDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: settingName
  scope: modelsBlobs
  properties: {
    workspaceId: workspaceId
    logs: [
      { category: 'StorageDelete', enabled: true }
    ]
    metrics: [
      { category: 'Transaction', enabled: true }
    ]
  }
}

// No logs: what functions log is in Application Insights already.
resource siteDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: settingName
  scope: site
  properties: {
    workspaceId: workspaceId
    metrics: [
      { category: 'AllMetrics', enabled: true }
    ]
  }
}

resource cosmosDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (hasCosmos) {
  name: settingName
  scope: cosmosAccount
  properties: {
    workspaceId: workspaceId
    logAnalyticsDestinationType: 'Dedicated'
    logs: [
      { category: 'ControlPlaneRequests', enabled: true }
    ]
    metrics: [
      { category: 'Requests', enabled: true }
    ]
  }
}

resource vaultDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (hasVault) {
  name: settingName
  scope: vault
  properties: {
    workspaceId: workspaceId
    logs: [
      { category: 'AuditEvent', enabled: true }
    ]
    metrics: [
      { category: 'AllMetrics', enabled: true }
    ]
  }
}
