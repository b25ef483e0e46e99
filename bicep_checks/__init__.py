"""Checks the Bicep files of this project without Azure."""
