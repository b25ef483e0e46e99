metadata description = 'Watches what Azure itself measures of Event Hubs and Cosmos DB, without a word from the app.'

@description('Start of the names of resources.')
param namePrefix string

@description('Tags of resources.')
param tags object

@description('Ids of the action groups that are told.')
param actionGroupIds array

@description('Id of the Event Hubs namespace; empty: no alerts on it.')
param eventHubsNamespaceId string

@description('Id of the Cosmos DB account; empty: no alerts on it.')
param cosmosAccountId string

@description('Requests that Event Hubs may throttle in 15 minutes.')
param maximumThrottledRequests int

@description('Requests that Cosmos DB may refuse with status 429 in 15 minutes.')
param maximumCosmosThrottled int

@description('Whether to tell when nobody sent an event for an hour. Off where a plant may rest.')
param alertWhenNothingIsSent bool

@description('Names of the rules that are not to fire, such as throttled.')
param disabledAlerts array

var eventHubsRules = [
  {
    name: 'throttled'
    description: 'Event Hubs throttles senders or the app: readings come late. Raise the capacity of the namespace, or let it inflate.'
    enabled: true
    scope: eventHubsNamespaceId
    namespace: 'Microsoft.EventHub/namespaces'
    metric: 'ThrottledRequests'
    dimensions: []
    aggregation: 'Total'
    operator: 'GreaterThan'
    threshold: maximumThrottledRequests
    window: 'PT15M'
    severity: 2
  }
  {
    name: 'nothing-sent'
    description: 'Nobody sent an event for an hour. Look at the gateways and their network; the app has nothing to score.'
    enabled: alertWhenNothingIsSent
    scope: eventHubsNamespaceId
    namespace: 'Microsoft.EventHub/namespaces'
    metric: 'IncomingMessages'
    dimensions: []
    aggregation: 'Total'
    operator: 'LessThan'
    threshold: 1
    window: 'PT1H'
    severity: 2
  }
]

var cosmosRules = [
  {
    name: 'cosmos-throttled'
    description: 'Cosmos DB refuses requests with status 429: writes are tried again and then spilled. Raise the throughput, or write anomalies only.'
    enabled: true
    scope: cosmosAccountId
    namespace: 'Microsoft.DocumentDB/databaseAccounts'
    metric: 'TotalRequests'
    dimensions: [
      {
        name: 'StatusCode'
        operator: 'Include'
        values: ['429']
      }
    ]
    aggregation: 'Count'
    operator: 'GreaterThan'
    threshold: maximumCosmosThrottled
    window: 'PT15M'
    severity: 2
  }
]

var metricRules = concat(empty(eventHubsNamespaceId) ? [] : eventHubsRules, empty(cosmosAccountId) ? [] : cosmosRules)

var actions = [for id in actionGroupIds: {
  actionGroupId: id
}]

resource platformAlerts 'Microsoft.Insights/metricAlerts@2018-03-01' = [for rule in metricRules: {
  name: '${namePrefix}-${rule.name}'
  location: 'global'
  tags: tags
  properties: {
    description: rule.description
    enabled: rule.enabled && !contains(disabledAlerts, rule.name)
    severity: rule.severity
    scopes: [rule.scope]
    evaluationFrequency: 'PT5M'
    windowSize: rule.window
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: rule.name
          metricNamespace: rule.namespace
          metricName: rule.metric
          dimensions: rule.dimensions
          timeAggregation: rule.aggregation
          operator: rule.operator
          threshold: rule.threshold
        }
      ]
    }
    actions: actions
  }
}]
