"""Simulates fleets of sensors and sends recordings."""
