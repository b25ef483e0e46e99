metadata description = 'Where readings arrive: one event hub with a consumer group of the scorer.'

@description('Name of the Event Hubs namespace.')
param namespaceName string

@description('Name of the event hub.')
param eventHubName string

@description('Name of the consumer group that the scorer alone reads with.')
param consumerGroupName string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@minValue(1)
@maxValue(32)
@description('Partitions of the hub, which bound how many instances score at once.')
param partitionCount int

@minValue(1)
@maxValue(168)
@description('Hours that events are kept, which is how long the scorer may be down without a loss.')
param retentionHours int

@minValue(1)
@maxValue(40)
@description('Throughput units.')
param throughputUnits int

@minValue(0)
@maxValue(40)
@description('Throughput units that the namespace may grow to by itself; 0 for no growth.')
param maximumThroughputUnits int

@description('Whether the namespace is reached through the virtual network and the allowed addresses only.')
param isolated bool

@allowed(['Enabled', 'Disabled'])
@description('Whether anything but the private endpoint answers.')
param publicNetworkAccess string

@description('IPv4 addresses or ranges that reach an isolated namespace all the same, such as gateways of a plant.')
param allowedIpRanges array

var ipRules = [for address in allowedIpRanges: {
  ipMask: address
  action: 'Allow'
}]

// No geo-replication: its offsets are text that the Python binding cannot read.
resource hubNamespace 'Microsoft.EventHub/namespaces@2024-01-01' = {
  name: namespaceName
  location: location
  tags: tags
  sku: {
    name: 'Standard'
    tier: 'Standard'
    capacity: throughputUnits
  }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
    isAutoInflateEnabled: maximumThroughputUnits > throughputUnits
    maximumThroughputUnits: maximumThroughputUnits > throughputUnits ? maximumThroughputUnits : 0
    publicNetworkAccess: publicNetworkAccess
  }
}

resource networkRules 'Microsoft.EventHub/namespaces/networkRuleSets@2024-01-01' = {
  parent: hubNamespace
  name: 'default'
  properties: {
    publicNetworkAccess: publicNetworkAccess
    defaultAction: isolated ? 'Deny' : 'Allow'
    // IoT Hub and Event Grid bring readings as trusted services, with identities of their own.
    trustedServiceAccessEnabled: true
    ipRules: isolated ? ipRules : []
  }
}

resource eventHub 'Microsoft.EventHub/namespaces/eventhubs@2024-01-01' = {
  parent: hubNamespace
  name: eventHubName
  properties: {
    partitionCount: partitionCount
    retentionDescription: {
      cleanupPolicy: 'Delete'
      retentionTimeInHours: retentionHours
    }
  }
}

resource consumerGroup 'Microsoft.EventHub/namespaces/eventhubs/consumergroups@2024-01-01' = {
  parent: eventHub
  name: consumerGroupName
}

@description('Resource id of the namespace.')
output id string = hubNamespace.id

@description('Name of the namespace.')
output namespaceName string = hubNamespace.name

@description('Host name of the namespace.')
output fullyQualifiedNamespace string = '${hubNamespace.name}.servicebus.windows.net'

@description('Name of the event hub.')
output eventHubName string = eventHub.name

@description('Name of the consumer group.')
output consumerGroupName string = consumerGroup.name
