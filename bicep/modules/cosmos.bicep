metadata description = 'Where scored readings are stored as documents.'

@description('Name of the Cosmos DB account.')
param accountName string

@description('Name of the database.')
param databaseName string

@description('Name of the container.')
param containerName string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@allowed(['serverless', 'autoscale'])
@description('Pay by request unit, or for throughput that follows the load. An account cannot change between them.')
param capacityMode string

@minValue(1000)
@description('Most request units a second under autoscale, in steps of 1000.')
param maximumThroughput int

@minValue(1)
@maxValue(24000)
@description('Days that a document is kept after it was last written.')
param ttlDays int

@description('Whether copies are spread over availability zones.')
param zoneRedundant bool

@description('Whether the account is reached through the virtual network and the allowed addresses only.')
param isolated bool

@allowed(['Enabled', 'Disabled'])
@description('Whether anything but the private endpoint answers.')
param publicNetworkAccess string

@description('IPv4 addresses or ranges that reach an isolated account all the same.')
param allowedIpRanges array

var ipRules = [for address in allowedIpRanges: {
  ipAddressOrRange: address
}]
var isServerless = capacityMode == 'serverless'

resource account 'Microsoft.DocumentDB/databaseAccounts@2025-04-15' = {
  // checkov:skip=CKV_AZURE_101: off where the data services are isolated
  name: accountName
  location: location
  tags: tags
  kind: 'GlobalDocumentDB'
  properties: {
    databaseAccountOfferType: 'Standard'
    capabilities: isServerless ? [{ name: 'EnableServerless' }] : []
    consistencyPolicy: {
      defaultConsistencyLevel: 'Session'
    }
    locations: [
      {
        locationName: location
        failoverPriority: 0
        isZoneRedundant: zoneRedundant
      }
    ]
    enableAutomaticFailover: false
    enableMultipleWriteLocations: false
    backupPolicy: {
      type: 'Continuous'
      continuousModeProperties: {
        // the tier that costs nothing
        tier: 'Continuous7Days'
      }
    }
    disableLocalAuth: true
    disableKeyBasedMetadataWriteAccess: true
    minimalTlsVersion: 'Tls12'
    publicNetworkAccess: publicNetworkAccess
    ipRules: isolated ? ipRules : []
    networkAclBypass: 'None'
  }
}

resource database 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases@2025-04-15' = {
  parent: account
  name: databaseName
  properties: {
    resource: {
      id: databaseName
    }
  }
}

// The same as scoring/sinks/cosmos_account.py makes on an emulator: partition key, index, time to
// live. Only what is asked for is indexed, which halves what a write costs; ordering by two
// properties needs the composite index.
resource container 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers@2025-04-15' = {
  parent: database
  name: containerName
  properties: {
    resource: {
      id: containerName
      partitionKey: {
        kind: 'Hash'
        version: 2
        paths: ['/sensor_id']
      }
      defaultTtl: ttlDays * 86400
      indexingPolicy: {
        indexingMode: 'consistent'
        automatic: true
        includedPaths: [
          { path: '/sensor_id/?' }
          { path: '/event_time/?' }
          { path: '/model/?' }
          { path: '/is_anomaly/?' }
        ]
        excludedPaths: [
          { path: '/*' }
        ]
        compositeIndexes: [
          [
            { path: '/sensor_id', order: 'ascending' }
            { path: '/event_time', order: 'descending' }
          ]
        ]
      }
    }
    options: isServerless ? {} : { autoscaleSettings: { maxThroughput: maximumThroughput } }
  }
}

@description('Resource id of the account.')
output id string = account.id

@description('Address of the account.')
output endpoint string = account.properties.documentEndpoint
