metadata description = 'Shows the figures of the alerts over time: a tile for each query tile-*.kql.'

@description('Start of the names of resources.')
param namePrefix string

@description('Azure region of the workbook: that of the workspace.')
param location string

@description('Tags of resources.')
param tags object

@description('Id of the Log Analytics workspace that Application Insights writes to.')
param workspaceId string

// In the order of a look: is it scoring, does it store, are the models right, does it run.
var tiles = [
  {
    name: 'throughput'
    title: 'Readings in 5 minutes'
    query: loadTextContent('../queries/tile-throughput.kql')
    visualization: 'timechart'
    width: '50'
  }
  {
    name: 'lag'
    title: 'Lag of the worst instance, seconds'
    query: loadTextContent('../queries/tile-lag.kql')
    visualization: 'timechart'
    width: '50'
  }
  {
    name: 'anomalies'
    title: 'Anomalies, percent of scored readings'
    query: loadTextContent('../queries/tile-anomalies.kql')
    visualization: 'timechart'
    width: '50'
  }
  {
    name: 'rejected'
    title: 'Rejected readings by reason'
    query: loadTextContent('../queries/tile-rejected.kql')
    visualization: 'timechart'
    width: '50'
  }
  {
    name: 'sinks'
    title: 'Readings by store: written, spilled, drained, refused'
    query: loadTextContent('../queries/tile-sinks.kql')
    visualization: 'timechart'
    width: '50'
  }
  {
    name: 'sink-failures'
    title: 'Failed writes by store'
    query: loadTextContent('../queries/tile-sink-failures.kql')
    visualization: 'timechart'
    width: '50'
  }
  {
    name: 'spill-size'
    title: 'Spill, megabytes'
    query: loadTextContent('../queries/tile-spill-size.kql')
    visualization: 'timechart'
    width: '50'
  }
  {
    name: 'spill-age'
    title: 'Spill, minutes that the oldest batch has waited'
    query: loadTextContent('../queries/tile-spill-age.kql')
    visualization: 'timechart'
    width: '50'
  }
  {
    name: 'spill-batches'
    title: 'Spill, batches'
    query: loadTextContent('../queries/tile-spill-batches.kql')
    visualization: 'timechart'
    width: '50'
  }
  {
    name: 'dead-letters'
    title: 'Dead letters kept'
    query: loadTextContent('../queries/tile-dead-letters.kql')
    visualization: 'timechart'
    width: '50'
  }
  {
    name: 'models'
    title: 'Models: version in use, age, and 1 for refused or stale'
    query: loadTextContent('../queries/tile-models.kql')
    visualization: 'table'
    width: '100'
  }
  {
    name: 'drift'
    title: 'Drift of scores (population stability index)'
    query: loadTextContent('../queries/tile-drift.kql')
    visualization: 'timechart'
    width: '50'
  }
  {
    name: 'stages'
    title: 'Mean milliseconds a batch spends in each stage'
    query: loadTextContent('../queries/tile-stages.kql')
    visualization: 'timechart'
    width: '50'
  }
  {
    name: 'batches'
    title: 'Batches by outcome'
    query: loadTextContent('../queries/tile-batches.kql')
    visualization: 'timechart'
    width: '50'
  }
  {
    name: 'timers'
    title: 'Runs of timers'
    query: loadTextContent('../queries/tile-timers.kql')
    visualization: 'timechart'
    width: '50'
  }
  {
    name: 'doubtful'
    title: 'Collided and unaccounted readings'
    query: loadTextContent('../queries/tile-doubtful.kql')
    visualization: 'timechart'
    width: '50'
  }
  {
    name: 'exceptions'
    title: 'Exceptions by function and type'
    query: loadTextContent('../queries/tile-exceptions.kql')
    visualization: 'table'
    width: '100'
  }
]

var timeRange = {
  type: 9
  name: 'time-range'
  content: {
    version: 'KqlParameterItem/1.0'
    style: 'pills'
    queryType: 0
    resourceType: 'microsoft.operationalinsights/workspaces'
    parameters: [
      {
        id: guid(resourceGroup().id, namePrefix, 'TimeRange')
        version: 'KqlParameterItem/1.0'
        name: 'TimeRange'
        label: 'Time range'
        type: 4
        isRequired: true
        value: {
          durationMs: 14400000 // 4 hours
        }
        typeSettings: {
          selectableValues: [
            { durationMs: 3600000 }
            { durationMs: 14400000 }
            { durationMs: 86400000 }
            { durationMs: 604800000 }
            { durationMs: 2592000000 }
          ]
          allowCustom: true
        }
      }
    ]
  }
}

var charts = [for tile in tiles: {
  type: 3
  name: tile.name
  customWidth: tile.width
  content: {
    version: 'KqlItem/1.0'
    query: tile.query
    size: 0
    title: tile.title
    timeContextFromParameter: 'TimeRange'
    queryType: 0
    resourceType: 'microsoft.operationalinsights/workspaces'
    crossComponentResources: [workspaceId]
    visualization: tile.visualization
  }
}]

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, namePrefix, 'workbook') // the service takes a GUID only
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    category: 'workbook'
    displayName: '${namePrefix}: scoring'
    sourceId: workspaceId
    version: '1.0'
    serializedData: string({
      version: 'Notebook/1.0'
      items: concat([timeRange], charts)
      fallbackResourceIds: [workspaceId]
    })
  }
}

@description('Id of the workbook.')
output id string = workbook.id
