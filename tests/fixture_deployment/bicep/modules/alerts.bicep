@description('Region.')
param location string

@description('Resource id of the workspace.')
param workspaceId string

var queries = {
  lag: loadTextContent('../queries/lag.kql')
}

resource lag 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = {
  name: 'lag'
  location: location
  properties: {
    scopes: [workspaceId]
    criteria: {
      allOf: [
        { query: queries.lag, threshold: 60 }
      ]
    }
  }
}
