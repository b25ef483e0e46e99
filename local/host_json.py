"""The parts of host.json that the local app honours."""

from pathlib import Path
from typing import Any, Literal

import msgspec

from scoring.errors import SettingsError


class InitialOffset(msgspec.Struct, frozen=True):
    """Where a consumer group without a checkpoint begins."""

    type: Literal["fromStart", "fromEnd"] = "fromStart"


class EventHubs(msgspec.Struct, frozen=True, rename="camel"):
    """``extensions.eventHubs``, with the host's defaults."""

    max_event_batch_size: int = 100
    initial_offset_options: InitialOffset = InitialOffset()


class Http(msgspec.Struct, frozen=True, rename="camel"):
    """``extensions.http``, with the host's defaults."""

    route_prefix: str = "api"


class Extensions(msgspec.Struct, frozen=True, rename="camel"):
    """``extensions``."""

    event_hubs: EventHubs = EventHubs()
    http: Http = Http()


class HostJson(msgspec.Struct, frozen=True):
    """A host.json; anything else in it is the real host's business."""

    version: Any = "2.0"
    extensions: Extensions = Extensions()


def read_host_json(folder: Path) -> HostJson:
    """Read ``host.json`` in `folder`; without the file the host's defaults hold.

    Raises
    ------
    SettingsError
        If the file is no JSON, or a part read here has the wrong type.
    """
    path = folder / "host.json"
    if not path.exists():
        return HostJson()
    try:
        found = msgspec.json.decode(path.read_bytes(), type=HostJson)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise SettingsError([f"host.json: {error}"]) from error
    if found.extensions.event_hubs.max_event_batch_size < 1:
        raise SettingsError(["host.json: maxEventBatchSize must be 1 or more"])
    return found
