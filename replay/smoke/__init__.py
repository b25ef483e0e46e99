"""Checks a deployed app from outside with known events, after a deployment."""
