targetScope = 'subscription'

@description('Name of the environment.')
param environmentName string

@description('Region.')
param location string = 'westeurope'

@allowed(['Standard_LRS', 'Standard_ZRS'])
@description('Copies of what is stored.')
param storageSku string = 'Standard_LRS'

@maxLength(20)
@description('Title of the plant.')
param title string = 'Plant'

@secure()
@description('Token for InfluxDB.')
param influxToken string = ''

@description('Instances that are kept running.')
param alwaysReady array = [
  { name: 'function:score_events', instanceCount: 1 }
]

@description('Settings that an operator changes.')
param scoringSettings object = {}

var tags = { 'azd-env-name': environmentName }

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    location: location
    sku: storageSku
  }
}

module rbac 'modules/rbac.bicep' = {
  name: 'rbac'
  scope: group
  params: {
    accountName: storage.outputs.name
    principalId: storage.outputs.principalId
  }
}

module site 'modules/site.bicep' = {
  name: 'site'
  scope: group
  params: {
    location: location
    alwaysReady: alwaysReady
    accountName: storage.outputs.name
    scoringSettings: scoringSettings
    influxToken: influxToken
  }
  dependsOn: [
    rbac
  ]
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    location: location
    workspaceId: site.outputs.workspaceId
  }
}

module app 'app.bicep' = {
  name: 'app'
  scope: group
  params: {
    environmentName: environmentName
    location: location
    title: title
  }
}

@description('Region.')
output AZURE_LOCATION string = location

@description('Tenant.')
output AZURE_TENANT_ID string = tenant().tenantId

@description('Resource group.')
output AZURE_RESOURCE_GROUP string = group.name
