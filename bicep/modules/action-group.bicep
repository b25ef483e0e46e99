metadata description = 'Tells operators when an alert fires or resolves; without a receiver there is no action group.'

@description('Start of the names of resources.')
param namePrefix string

@description('Tags of resources.')
param tags object

@description('Mail addresses to tell. A Teams channel is told through the address of the channel.')
param emails array

@description('Address that takes alerts in the common alert schema by POST. It may carry its own key.')
@secure()
param webhookUrl string

@description('Address of a Teams workflow that makes a message from the common alert schema. It carries its own key.')
@secure()
param teamsWorkflowUrl string

var webhooks = empty(webhookUrl) ? [] : [
  {
    name: 'webhook'
    serviceUri: webhookUrl
    useCommonAlertSchema: true
  }
]
var teamsWorkflows = empty(teamsWorkflowUrl) ? [] : [
  {
    name: 'teams'
    serviceUri: teamsWorkflowUrl
    useCommonAlertSchema: true
  }
]
var hasReceivers = !empty(emails) || !empty(webhookUrl) || !empty(teamsWorkflowUrl)

resource actionGroup 'Microsoft.Insights/actionGroups@2023-01-01' = if (hasReceivers) {
  name: '${namePrefix}-operators'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'scoring' // at most 12 characters; it stands in the subject of mails
    emailReceivers: [for (email, i) in emails: {
      name: 'mail-${i}'
      emailAddress: email
      useCommonAlertSchema: true
    }]
    webhookReceivers: concat(webhooks, teamsWorkflows)
  }
}

@description('Ids of action groups, for alert rules: one or none.')
output ids array = hasReceivers ? [actionGroup.id] : []
