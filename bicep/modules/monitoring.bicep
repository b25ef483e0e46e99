metadata description = 'Where logs and metrics go: one workspace with Application Insights on it.'

@description('Name of the Log Analytics workspace.')
param workspaceName string

@description('Name of the Application Insights component.')
param applicationInsightsName string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@minValue(30)
@maxValue(730)
@description('Days that logs and metrics are kept.')
param retentionDays int

@minValue(-1)
@description('Gigabytes a day after which the workspace takes no more until the next day; -1 for no bound.')
param dailyCapGb int

// Both stay reachable from the internet when the data services are not: without an Azure Monitor
// private link scope, which binds every workspace of a network, neither ingestion nor the portal
// would work. Local authentication is off, so reaching them is not enough.
resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' = {
  name: workspaceName
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: retentionDays
    workspaceCapping: {
      dailyQuotaGb: dailyCapGb
    }
    features: {
      disableLocalAuth: true
      enableLogAccessUsingOnlyResourcePermissions: true
    }
  }
}

resource applicationInsights 'Microsoft.Insights/components@2020-02-02' = {
  name: applicationInsightsName
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    DisableLocalAuth: true
  }
}

@description('Resource id of the workspace.')
output workspaceId string = workspace.id

@description('Name of the Application Insights component.')
output applicationInsightsName string = applicationInsights.name

@description('Where telemetry is sent. No secret: the key in it opens nothing while local authentication is off.')
output connectionString string = applicationInsights.properties.ConnectionString
