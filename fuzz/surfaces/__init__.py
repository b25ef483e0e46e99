"""The surfaces, by name; each module is imported in the process that needs it."""

import importlib

from fuzz.findings import Surface

# Six: two at a time, each gets a third of the time.
NAMES = (
    "event_bodies",
    "http_requests",
    "model_bytes",
    "altered_models",
    "stored_files",
    "names",
)


def surface(name: str) -> Surface:
    """Make a surface; whatever it has to fit or publish is done by then."""
    found: Surface = importlib.import_module(f"fuzz.surfaces.{name}").make()
    return found
