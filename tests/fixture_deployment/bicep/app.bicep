@description('Name of the environment.')
param environmentName string

@description('Region.')
param location string = resourceGroup().location

@maxLength(20)
@description('Title of the plant.')
param title string = 'Plant'

@description('What it is called.')
output label string = '${title} ${environmentName} ${location}'
