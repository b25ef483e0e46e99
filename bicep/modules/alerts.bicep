metadata description = 'Tells an operator when something is wrong: a rule for each query alert-*.kql.'

@description('Start of the names of resources.')
param namePrefix string

@description('Azure region of the rules: that of the workspace.')
param location string

@description('Tags of resources.')
param tags object

@description('Id of the Log Analytics workspace that Application Insights and the diagnostic settings write to.')
param workspaceId string

@description('Id of the Event Hubs namespace, for alerts on its own metrics; empty: none.')
param eventHubsNamespaceId string = ''

@description('Id of the Cosmos DB account, for alerts on its own metrics; empty: none.')
param cosmosAccountId string = ''

@description('Mail addresses to tell. A Teams channel is told through the address of the channel.')
param alertEmails array = []

@description('Address that takes alerts in the common alert schema by POST. It may carry its own key.')
@secure()
param alertWebhookUrl string = ''

@description('Address of a Teams workflow that makes a message from the common alert schema. It carries its own key.')
@secure()
param alertTeamsWorkflowUrl string = ''

@description('How often the rules look. More often costs more.')
@allowed(['PT5M', 'PT10M'])
param evaluationFrequency string = 'PT5M'

@description('Names of rules that are not to fire, such as drift: the part of a rule behind namePrefix.')
param disabledAlerts array = []

@description('Lag that the 95th percentile may have, in seconds, as the median of 15 minutes. A change of instances takes up to 120 s.')
param maximumLagSeconds int = 180

@description('Readings that may be rejected in 15 minutes, in percent.')
param maximumRejectedPercent int = 5

@description('Failed writes that a store may have in 15 minutes. A few heal by trying again.')
param maximumSinkFailures int = 3

@description('How long a spilled batch may wait, in minutes.')
param maximumSpillMinutes int = 15

@description('How much may wait in the spill for all stores together, in megabytes: three quarters of SPILL_MAX_MB.')
param maximumSpillMegabytes int = 768

@description('Age that the version in use may have, in days; 0: no alert.')
param maximumModelAgeDays int = 0

@description('How long a timer may not run. Longer than MODEL_RELOAD_SCHEDULE and SPILL_DRAIN_SCHEDULE, twice at least.')
@allowed(['PT30M', 'PT45M', 'PT1H', 'PT2H', 'PT6H', 'P1D'])
param timerSilentWindow string = 'PT30M'

@description('Readings that may be anomalies in 30 minutes, in percent, for each model.')
param maximumAnomalyPercent int = 20

@description('Whether to tell when nobody sent an event for an hour. Off where a plant may rest.')
param alertWhenNothingIsSent bool = false

// Thresholds that a deployment does not choose.

// How long events may come without a batch. The last 10 minutes of it do not count.
var noBatchWindow = 'PT30M'
// Held batches in 15 minutes. A new app without a model holds one a minute and partition.
var maximumHeldBatches = 5
// The population stability index in hundredths: 10 is a small change, 25 a large one.
var maximumDriftHundredths = 25
// Exceptions of a function in 15 minutes.
var maximumExceptions = 10
// Requests that Event Hubs throttled in 15 minutes.
var maximumThrottledRequests = 10
// Requests with status 429 in 15 minutes. Cosmos DB says so often; clients try again.
var maximumCosmosThrottled = 100

module actionGroup 'action-group.bicep' = {
  name: '${namePrefix}-action-group'
  params: {
    namePrefix: namePrefix
    tags: tags
    emails: alertEmails
    webhookUrl: alertWebhookUrl
    teamsWorkflowUrl: alertTeamsWorkflowUrl
  }
}

module platformAlerts 'platform-alerts.bicep' = {
  name: '${namePrefix}-platform-alerts'
  params: {
    namePrefix: namePrefix
    tags: tags
    actionGroupIds: actionGroup.outputs.ids
    eventHubsNamespaceId: eventHubsNamespaceId
    cosmosAccountId: cosmosAccountId
    maximumThrottledRequests: maximumThrottledRequests
    maximumCosmosThrottled: maximumCosmosThrottled
    alertWhenNothingIsSent: alertWhenNothingIsSent
    disabledAlerts: disabledAlerts
  }
}

// A query gives one number in the column measure, or one for each value of the column dimension; the
// rule fires above the threshold. Severity 1: readings are not scored, or soon will not be.
var logRules = [
  {
    name: 'lag'
    title: 'Scoring is behind'
    description: 'Readings are scored late. Look at instances, partitions and stores in the workbook; raise maximumInstanceCount up to the partitions, or the memory of an instance.'
    query: loadTextContent('../queries/alert-lag.kql')
    measure: 'lag_seconds'
    threshold: maximumLagSeconds
    window: 'PT15M'
    severity: 2
    dimension: ''
  }
  {
    name: 'no-batch'
    title: 'Events come, but no batch does'
    description: 'Events were sent and none was scored or held. Look at whether score_events is there and enabled, at its roles on the hub and on the host storage, and at GET /api/health.'
    query: loadTextContent('../queries/alert-no-batch.kql')
    measure: 'unread_events'
    threshold: 0
    window: noBatchWindow
    severity: 1
    dimension: ''
  }
  {
    name: 'held'
    title: 'Batches are held'
    description: 'Nothing is lost while the hub keeps events, but nothing is scored either. GET /api/health names the cause: no model, or storage and stores out of reach. Wrong settings hold batches too, and are told by exceptions, timer-silent and no-batch.'
    query: loadTextContent('../queries/alert-held.kql')
    measure: 'held'
    threshold: maximumHeldBatches
    window: 'PT15M'
    severity: 1
    dimension: ''
  }
  {
    name: 'rejected'
    title: 'Many readings are rejected'
    description: 'A sender changed its format, or the model wants another feature. Look at the reasons in the workbook, then at `python -m replay dead-letters show`; replay them after the fix.'
    query: loadTextContent('../queries/alert-rejected.kql')
    measure: 'rejected_percent'
    threshold: maximumRejectedPercent
    window: 'PT15M'
    severity: 2
    dimension: ''
  }
  {
    name: 'unaccounted'
    title: 'Readings are unaccounted for'
    description: 'Readings were neither scored, rejected nor held: a fault of the app. Keep its logs and report it.'
    query: loadTextContent('../queries/alert-unaccounted.kql')
    measure: 'unaccounted'
    threshold: 0
    window: 'PT15M'
    severity: 1
    dimension: ''
  }
  {
    name: 'sink-failures'
    title: 'A store does not take writes'
    description: 'Scored readings go to the spill meanwhile. Look at the store, its network and its role or token.'
    query: loadTextContent('../queries/alert-sink-failures.kql')
    measure: 'failures'
    threshold: maximumSinkFailures
    window: 'PT15M'
    severity: 2
    dimension: 'sink'
  }
  {
    name: 'refused'
    title: 'A store refuses readings'
    description: 'A store refused readings for ever, and they became dead letters. Look at their reason, mend the schema or the size, and replay them.'
    query: loadTextContent('../queries/alert-refused.kql')
    measure: 'refused'
    threshold: 0
    window: 'PT15M'
    severity: 2
    dimension: 'sink'
  }
  {
    name: 'spill-age'
    title: 'Spilled batches wait'
    description: 'A store has been down, or too slow to catch up, for this long. Mend it: the spill is then written back in order.'
    query: loadTextContent('../queries/alert-spill-age.kql')
    measure: 'oldest_minutes'
    threshold: maximumSpillMinutes
    window: 'PT15M'
    severity: 2
    dimension: 'sink'
  }
  {
    name: 'spill-size'
    title: 'The spill is nearly full'
    description: 'When it is full, batches are held on the event hub and scores are late. Mend the store, or raise SPILL_MAX_MB.'
    query: loadTextContent('../queries/alert-spill-size.kql')
    measure: 'megabytes'
    threshold: maximumSpillMegabytes
    window: 'PT15M'
    severity: 1
    dimension: ''
  }
  {
    name: 'model-refused'
    title: 'A model version is refused'
    description: 'The current version cannot be used, and the one before it goes on. Publish a version that passes its checks, or roll back.'
    query: loadTextContent('../queries/alert-model-refused.kql')
    measure: 'refused'
    threshold: 0
    window: 'PT15M'
    severity: 2
    dimension: 'model'
  }
  {
    name: 'model-stale'
    title: 'A model cannot be refreshed'
    description: 'An instance could not look for a newer version throughout the window. Look at the storage account of the models, its network and the role on it.'
    query: loadTextContent('../queries/alert-model-stale.kql')
    measure: 'stale'
    threshold: 0
    window: 'PT15M'
    severity: 2
    dimension: 'model'
  }
  {
    name: 'model-age'
    title: 'A model is old'
    description: 'The version that scores is older than agreed. Fit and publish a new one.'
    query: loadTextContent('../queries/alert-model-age.kql')
    measure: 'age_days'
    threshold: maximumModelAgeDays
    window: 'PT1H'
    severity: 3
    dimension: 'model'
  }
  {
    name: 'timer-silent'
    title: 'A timer does not run, or fails each time'
    description: 'No run of reload_models or drain_spill succeeded. After the first deployment this resolves by itself. Else look at health and at the exceptions in the workbook; then at whether the functions are there, at the role on the host storage, and restart the app.'
    query: loadTextContent('../queries/alert-timer-silent.kql')
    measure: 'silent'
    threshold: 0
    window: timerSilentWindow
    severity: 1
    dimension: 'timer'
  }
  {
    name: 'anomaly-rate'
    title: 'Many anomalies'
    description: 'Either the plant has a problem or the model no longer fits. Compare models, sensors and drift in the workbook.'
    query: loadTextContent('../queries/alert-anomaly-rate.kql')
    measure: 'anomaly_percent'
    threshold: maximumAnomalyPercent
    window: 'PT30M'
    severity: 2
    dimension: 'model'
  }
  {
    name: 'drift'
    title: 'Scores have drifted'
    description: 'Readings no longer look like those of training. Look whether sensors or the process changed; fit again on recent readings.'
    query: loadTextContent('../queries/alert-drift.kql')
    measure: 'drift_hundredths'
    threshold: maximumDriftHundredths
    window: 'PT1H'
    severity: 3
    dimension: 'model'
  }
  {
    name: 'exceptions'
    title: 'Functions fail'
    description: 'A function raised or the host failed. Look at the exceptions in the workbook. Exit code 143, by which the host scales in, does not count.'
    query: loadTextContent('../queries/alert-exceptions.kql')
    measure: 'exceptions'
    threshold: maximumExceptions
    window: 'PT15M'
    severity: 2
    dimension: 'function'
  }
]

// An age of 0 days is no limit.
var unused = maximumModelAgeDays > 0 ? [] : ['model-age']
var disabled = concat(disabledAlerts, unused)

resource logAlerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for rule in logRules: {
  name: '${namePrefix}-${rule.name}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: '${namePrefix}: ${rule.title}'
    description: rule.description
    enabled: !contains(disabled, rule.name)
    severity: rule.severity
    scopes: [workspaceId]
    evaluationFrequency: evaluationFrequency
    windowSize: rule.window
    // The workspace has none of the tables until the app has sent something.
    skipQueryValidation: true
    // One notice when it fires and one when it resolves, however long it lasts.
    autoMitigate: true
    criteria: {
      allOf: [
        {
          query: rule.query
          metricMeasureColumn: rule.measure
          timeAggregation: 'Maximum' // of the one row that a query gives for each dimension
          dimensions: empty(rule.dimension) ? [] : [{ name: rule.dimension, operator: 'Include', values: ['*'] }]
          operator: 'GreaterThan'
          threshold: rule.threshold
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: actionGroup.outputs.ids
    }
  }
}]
