metadata description = 'Storage of the scorer: models, dead letters, spill and status.'

@description('Name of the storage account.')
param name string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Whether copies are spread over availability zones.')
param zoneRedundant bool

@minValue(1)
@maxValue(365)
@description('Days that a deleted or overwritten blob can be brought back.')
param softDeleteDays int

@minValue(0)
@description('Days after which a dead letter is deleted; 0 keeps them for ever.')
param deadLetterDays int

@description('Whether the account is reached through the virtual network and the allowed addresses only.')
param isolated bool

@allowed(['Enabled', 'Disabled'])
@description('Whether anything but the private endpoint answers.')
param publicNetworkAccess string

@description('IPv4 addresses or ranges that reach an isolated account all the same.')
param allowedIpRanges array

var ipRules = [for address in allowedIpRanges: {
  value: address
  action: 'Allow'
}]
// What the app writes, by the names in its code; models are read from `modelContainerName`.
var modelContainerName = 'models'
var deadLetterContainerName = 'dead-letter'
var spillContainerName = 'spill'
var statusContainerName = 'status'
var containerNames = [
  modelContainerName
  deadLetterContainerName
  spillContainerName
  statusContainerName
]
var deadLetterRule = {
  name: 'delete-old-dead-letters'
  enabled: true
  type: 'Lifecycle'
  definition: {
    filters: {
      blobTypes: ['blockBlob']
      prefixMatch: ['${deadLetterContainerName}/']
    }
    actions: {
      baseBlob: {
        delete: {
          daysAfterModificationGreaterThan: deadLetterDays
        }
      }
    }
  }
}
// Versioning is a switch of the whole account, so each status record (every 15 s a process) and
// each spilled batch leaves a version behind when it is overwritten or removed. This deletes such
// earlier versions and never a current blob: what waits in the spill is not touched, however old.
var versionRule = {
  name: 'delete-old-versions'
  enabled: true
  type: 'Lifecycle'
  definition: {
    filters: {
      blobTypes: ['blockBlob']
      prefixMatch: [
        '${deadLetterContainerName}/'
        '${spillContainerName}/'
        '${statusContainerName}/'
      ]
    }
    actions: {
      version: {
        delete: {
          daysAfterCreationGreaterThan: softDeleteDays
        }
      }
    }
  }
}

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  // checkov:skip=CKV_AZURE_35: denied where the data services are isolated; identity alone opens it otherwise
  // checkov:skip=CKV_AZURE_206: replicated over zones where zoneRedundant asks for it
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: zoneRedundant ? 'Standard_ZRS' : 'Standard_LRS'
  }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    isLocalUserEnabled: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: publicNetworkAccess
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: isolated ? 'Deny' : 'Allow'
      ipRules: isolated ? ipRules : []
    }
  }
}

resource blobService 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' = {
  parent: account
  name: 'default'
  properties: {
    isVersioningEnabled: true
    deleteRetentionPolicy: {
      enabled: true
      days: softDeleteDays
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: softDeleteDays
    }
  }
}

resource containers 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = [for containerName in containerNames: {
  parent: blobService
  name: containerName
  properties: {
    publicAccess: 'None'
  }
}]

resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2025-01-01' = {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: deadLetterDays > 0 ? [deadLetterRule, versionRule] : [versionRule]
    }
  }
  dependsOn: [
    blobService
  ]
}

@description('Resource id of the account.')
output id string = account.id

@description('Name of the account.')
output name string = account.name

@description('Container that models are read from.')
output modelContainerName string = modelContainerName

@description('Container of rejected readings, which an operator replays and clears.')
output deadLetterContainerName string = deadLetterContainerName

@description('Containers that the app itself writes to.')
output writtenContainerNames array = [
  deadLetterContainerName
  spillContainerName
  statusContainerName
]
