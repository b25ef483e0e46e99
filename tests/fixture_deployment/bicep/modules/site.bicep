@description('Region.')
param location string

@description('Instances that are kept running.')
param alwaysReady array

@description('Name of the account.')
param accountName string

@description('Settings that an operator changes.')
param scoringSettings object

@secure()
@description('Token for InfluxDB.')
param influxToken string

var schedule = empty(scoringSettings.?MODEL_RELOAD_SCHEDULE) ? '0 */5 * * * *' : scoringSettings.MODEL_RELOAD_SCHEDULE
var appSettings = union(scoringSettings, {
  // tests write the settings here
})

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' = {
  name: 'log-scorer'
  location: location
  properties: {
    features: {
      disableLocalAuth: true
    }
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-scorer'
  location: location
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    DisableLocalAuth: true
  }
}

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  name: 'kv-scorer'
  location: location
  properties: {
    tenantId: tenant().tenantId
    enableRbacAuthorization: true
    sku: {
      family: 'A'
      name: 'standard'
    }
  }

  resource secret 'secrets' = if (!empty(influxToken)) {
    name: 'influxdb-token'
    properties: {
      value: influxToken
    }
  }
}

resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  name: 'plan-scorer'
  location: location
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource site 'Microsoft.Web/sites@2024-11-01' = {
  name: 'func-scorer'
  location: location
  tags: { 'azd-service-name': 'scorer' }
  kind: 'functionapp,linux'
  properties: {
    serverFarmId: plan.id
    functionsRuntimeAdminIsolationEnabled: true
    functionAppConfig: {
      scaleAndConcurrency: {
        alwaysReady: alwaysReady
        instanceMemoryMB: 2048
      }
    }
    siteConfig: {
      appSettings: [for setting in items(appSettings): {
        name: setting.key
        value: setting.value
      }]
    }
  }
}

resource ftp 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: site
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource scm 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: site
  name: 'scm'
  properties: {
    allow: false
  }
}

@description('Resource id of the workspace.')
output workspaceId string = workspace.id

@description('Where telemetry is sent.')
output insightsAddress string = insights.properties.ConnectionString
