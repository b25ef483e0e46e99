"""Stores for scored readings, one file a store."""
