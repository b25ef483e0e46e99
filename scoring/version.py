"""The version of this project, which telemetry names; `pyproject.toml` has the same."""

VERSION = "0.1.0"
