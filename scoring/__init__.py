"""Scores batches of sensor readings; the part that is deployed."""
