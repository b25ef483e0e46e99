metadata description = 'Keeps the one secret there is: the InfluxDB token.'

@description('Name of the vault.')
param name string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@secure()
@description('Token that may write to the InfluxDB bucket. Empty leaves the secret as it is, to be set by hand.')
param influxToken string

@description('Whether the vault is reached through the virtual network and the allowed addresses only.')
param isolated bool

@allowed(['Enabled', 'Disabled'])
@description('Whether anything but the private endpoint answers.')
param publicNetworkAccess string

@description('IPv4 addresses or ranges that reach an isolated vault all the same.')
param allowedIpRanges array

var secretName = 'influxdb-token'
var ipRules = [for address in allowedIpRanges: {
  value: address
}]

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  // checkov:skip=CKV_AZURE_109: denied where the data services are isolated; roles alone open it otherwise
  // checkov:skip=CKV_AZURE_189: off where the data services are isolated
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    enablePurgeProtection: true
    // The fewest that there are: a deleted vault holds its name for as long, and with it a new
    // deployment of the same environment; the token can be made anew in InfluxDB.
    softDeleteRetentionInDays: 7
    publicNetworkAccess: publicNetworkAccess
    networkAcls: {
      bypass: 'None'
      defaultAction: isolated ? 'Deny' : 'Allow'
      ipRules: isolated ? ipRules : []
    }
  }
}

// Written through Resource Manager, which the vault's network rules do not concern. Without a
// token nothing is written, so deploying again never overwrites one that was set by hand.
resource secret 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = if (!empty(influxToken)) {
  // checkov:skip=CKV_AZURE_41: a date here would not end the token in InfluxDB, only the scoring
  // checkov:skip=CKV_AZURE_114: it has one; checkov does not look into a conditional resource
  parent: vault
  name: secretName
  properties: {
    value: influxToken
    contentType: 'InfluxDB API token'
  }
}

@description('Resource id of the vault.')
output id string = vault.id

@description('Name of the secret, for setting it by hand.')
output secretName string = secretName

@description('Address of the secret in whichever version is the latest.')
output secretUri string = '${vault.properties.vaultUri}secrets/${secretName}'
