metadata description = 'Every role there is: what the app may do, what a developer may do.'

// Each assignment is at the smallest scope that the service knows. The site is made after this
// module: an app that starts without its roles on the host storage shows no functions and no error.
// A deployment adds assignments and never removes one: what a changed parameter no longer asks for
// is to be deleted by hand.

@description('Object id of the app identity.')
param appPrincipalId string

@description('Object id of whoever publishes models and replays readings; empty for nobody.')
param developerPrincipalId string

@allowed(['User', 'Group', 'ServicePrincipal'])
@description('What the developer principal is.')
param developerPrincipalType string

@description('Whether the app may write models, not only read them.')
param appWritesModels bool

@description('Name of the storage account of the Functions host.')
param hostAccountName string

@description('Name of the storage account of models, dead letters, spill and status.')
param modelsAccountName string

@description('Container that models are read from.')
param modelContainerName string

@description('Container of rejected readings.')
param deadLetterContainerName string

@description('Containers that the app writes to.')
param writtenContainerNames array

@description('Name of the Event Hubs namespace.')
param eventHubsNamespaceName string

@description('Name of the event hub.')
param eventHubName string

@description('Name of the Application Insights component.')
param applicationInsightsName string

@description('Whether there is a Cosmos DB account.')
param hasCosmos bool

@description('Name of the Cosmos DB account.')
param cosmosAccountName string

@description('Name of the Cosmos DB database.')
param cosmosDatabaseName string

@description('Name of the Cosmos DB container.')
param cosmosContainerName string

@description('Whether there is a vault.')
param hasVault bool

@description('Name of the vault.')
param keyVaultName string

var roles = loadJsonContent('../roles.json')
var roleDefinitions = 'Microsoft.Authorization/roleDefinitions'
var hasDeveloper = !empty(developerPrincipalId)
var modelRole = appWritesModels ? roles.storageBlobDataContributor : roles.storageBlobDataReader

resource hostAccount 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: hostAccountName
}

resource modelsAccount 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: modelsAccountName
}

resource blobService 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' existing = {
  parent: modelsAccount
  name: 'default'
}

resource modelContainer 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' existing = {
  parent: blobService
  name: modelContainerName
}

resource deadLetterContainer 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' existing = {
  parent: blobService
  name: deadLetterContainerName
}

resource writtenContainers 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' existing = [for containerName in writtenContainerNames: {
  parent: blobService
  name: containerName
}]

resource hubNamespace 'Microsoft.EventHub/namespaces@2024-01-01' existing = {
  name: eventHubsNamespaceName
}

resource eventHub 'Microsoft.EventHub/namespaces/eventhubs@2024-01-01' existing = {
  parent: hubNamespace
  name: eventHubName
}

resource applicationInsights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: applicationInsightsName
}

resource cosmosAccount 'Microsoft.DocumentDB/databaseAccounts@2025-04-15' existing = {
  name: cosmosAccountName
}

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: keyVaultName
}

// What the app may do.

// Checkpoints, timer locks, function keys and the package: the host makes containers of its own,
// so the scope is the account.
resource appHostStorage 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(hostAccount.id, appPrincipalId, roles.storageBlobDataOwner)
  scope: hostAccount
  properties: {
    roleDefinitionId: subscriptionResourceId(roleDefinitions, roles.storageBlobDataOwner)
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource appModels 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(modelContainer.id, appPrincipalId, modelRole)
  scope: modelContainer
  properties: {
    roleDefinitionId: subscriptionResourceId(roleDefinitions, modelRole)
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource appWritten 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (containerName, index) in writtenContainerNames: {
  name: guid(writtenContainers[index].id, appPrincipalId, roles.storageBlobDataContributor)
  scope: writtenContainers[index]
  properties: {
    roleDefinitionId: subscriptionResourceId(roleDefinitions, roles.storageBlobDataContributor)
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
  }
}]

resource appEvents 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(eventHub.id, appPrincipalId, roles.eventHubsDataReceiver)
  scope: eventHub
  properties: {
    roleDefinitionId: subscriptionResourceId(roleDefinitions, roles.eventHubsDataReceiver)
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource appTelemetry 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(applicationInsights.id, appPrincipalId, roles.monitoringMetricsPublisher)
  scope: applicationInsights
  properties: {
    roleDefinitionId: subscriptionResourceId(roleDefinitions, roles.monitoringMetricsPublisher)
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
  }
}

// The scope is the vault and not its secret, because the secret may come later, by hand, and a
// role cannot be assigned on what does not exist. The vault holds nothing else.
resource appSecret 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (hasVault) {
  name: guid(vault.id, appPrincipalId, roles.keyVaultSecretsUser)
  scope: vault
  properties: {
    roleDefinitionId: subscriptionResourceId(roleDefinitions, roles.keyVaultSecretsUser)
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource appDocuments 'Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments@2025-04-15' = if (hasCosmos) {
  parent: cosmosAccount
  name: guid(cosmosAccount.id, cosmosContainerName, appPrincipalId, roles.cosmosDataContributor)
  properties: {
    principalId: appPrincipalId
    roleDefinitionId: '${cosmosAccount.id}/sqlRoleDefinitions/${roles.cosmosDataContributor}'
    scope: '${cosmosAccount.id}/dbs/${cosmosDatabaseName}/colls/${cosmosContainerName}'
  }
}

// What a developer may do: send readings, publish models, replay dead letters. Nothing on the host
// storage, the spill or the status.

resource developerEvents 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (hasDeveloper) {
  name: guid(eventHub.id, developerPrincipalId, roles.eventHubsDataSender)
  scope: eventHub
  properties: {
    roleDefinitionId: subscriptionResourceId(roleDefinitions, roles.eventHubsDataSender)
    principalId: developerPrincipalId
    principalType: developerPrincipalType
  }
}

resource developerModels 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (hasDeveloper) {
  name: guid(modelContainer.id, developerPrincipalId, roles.storageBlobDataContributor)
  scope: modelContainer
  properties: {
    roleDefinitionId: subscriptionResourceId(roleDefinitions, roles.storageBlobDataContributor)
    principalId: developerPrincipalId
    principalType: developerPrincipalType
  }
}

resource developerDeadLetters 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (hasDeveloper) {
  name: guid(deadLetterContainer.id, developerPrincipalId, roles.storageBlobDataContributor)
  scope: deadLetterContainer
  properties: {
    roleDefinitionId: subscriptionResourceId(roleDefinitions, roles.storageBlobDataContributor)
    principalId: developerPrincipalId
    principalType: developerPrincipalType
  }
}

// Sets and renews the InfluxDB token, and reads it to replay into InfluxDB.
resource developerSecret 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (hasDeveloper && hasVault) {
  name: guid(vault.id, developerPrincipalId, roles.keyVaultSecretsOfficer)
  scope: vault
  properties: {
    roleDefinitionId: subscriptionResourceId(roleDefinitions, roles.keyVaultSecretsOfficer)
    principalId: developerPrincipalId
    principalType: developerPrincipalType
  }
}

// A replay writes the scores of replayed letters itself, so reading would not be enough.
resource developerDocuments 'Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments@2025-04-15' = if (hasDeveloper && hasCosmos) {
  parent: cosmosAccount
  name: guid(cosmosAccount.id, cosmosContainerName, developerPrincipalId, roles.cosmosDataContributor)
  properties: {
    principalId: developerPrincipalId
    roleDefinitionId: '${cosmosAccount.id}/sqlRoleDefinitions/${roles.cosmosDataContributor}'
    scope: '${cosmosAccount.id}/dbs/${cosmosDatabaseName}/colls/${cosmosContainerName}'
  }
  // the account takes one change at a time, and refuses another meanwhile
  dependsOn: [
    appDocuments
  ]
}
