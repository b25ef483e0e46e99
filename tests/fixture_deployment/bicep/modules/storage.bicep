@description('Region.')
param location string

@description('Copies.')
param sku string

var containerNames = ['models', 'dead-letter']

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  name: take('st${uniqueString(resourceGroup().id)}', 24)
  location: location
  kind: 'StorageV2'
  sku: {
    name: sku
  }
  properties: {
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    isLocalUserEnabled: false
    minimumTlsVersion: 'TLS1_2'
    networkAcls: {
      bypass: 'None'
      defaultAction: empty(containerNames) ? 'Deny' : 'Allow'
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' = {
  parent: account
  name: 'default'
}

resource containers 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = [for name in containerNames: {
  parent: blobs
  name: name
  properties: {
    publicAccess: 'None'
  }
}]

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-scorer'
  location: location
}

@description('Name of the account.')
output name string = account.name

@description('Object id of the app identity.')
output principalId string = identity.properties.principalId
