@description('Region.')
param location string

@description('Resource id of the workspace.')
param workspaceId string

var queries = {
  lag: loadTextContent('../queries/lag.kql')
}
var rules = [
  { name: 'lag-high', threshold: 60 }
  { name: 'lag-extreme', threshold: 600, severity: 1 }
]

resource lag 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for rule in rules: {
  name: rule.name
  location: location
  properties: {
    scopes: [workspaceId]
    criteria: {
      allOf: [
        { query: queries.lag, threshold: rule.threshold }
      ]
    }
    severity: rule.?severity ?? 2
  }
}]
