"""Fits, calibrates and publishes models."""
