"""Runs the Function App on this machine, without the Functions host."""
