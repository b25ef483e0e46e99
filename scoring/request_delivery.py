"""Delivers what a request had scored to every store."""

import logging
from collections.abc import Sequence

import msgspec

from scoring.errors import SinkUnavailableError
from scoring.event_time import iso_time
from scoring.events import Rejected
from scoring.pipeline import Outcome
from scoring.scored import REFUSED_BY_STORE, Refused, Sink

_log = logging.getLogger(__name__)


def store_request(sinks: Sequence[Sink], outcome: Outcome) -> dict[str, Exception]:
    """Write to every store; what befalls one does not keep the others from their part.

    Each is asked, also one that was down a moment ago: a request knows of no breaker, and its
    readings are never spilled.

    Returns
    -------
    dict of str to Exception
        What befell stores, by name; those that are not in it have everything but the readings
        that they refuse, which are added to `outcome.rejected`.
    """
    faults: dict[str, Exception] = {}
    for sink in sinks:
        try:
            outcome.rejected.extend(map(_refused, sink.write(outcome.scored)))
        except SinkUnavailableError as error:
            _log.warning("%s", error)
            faults[sink.name] = error
        except Exception as error:  # noqa: BLE001  # the caller is told, when all had their turn
            _log.error("storing a request failed", exc_info=error)
            faults[sink.name] = error
    return faults


def identities(outcome: Outcome, *, is_tie_broken: bool) -> list[str]:
    """Write what makes each scored reading the same one when its request comes again.

    Parameters
    ----------
    outcome : Outcome
    is_tie_broken : bool
        Whether a reading's index is added to the time that it brings: then it is left out here.

    Returns
    -------
    list of str
        JSON objects with `index`, `sensor_id` and `event_time`, in the order of `index`.
    """
    found = [
        (index, sensor_id, iso_time(time_ns - index if is_tie_broken else time_ns))
        for one in outcome.scored
        for index, sensor_id, time_ns in zip(
            one.indexes.tolist(), one.sensor_ids, one.event_time_ns.tolist(), strict=True
        )
    ]
    keys = ("index", "sensor_id", "event_time")
    return [
        msgspec.json.encode(dict(zip(keys, one, strict=True))).decode() for one in sorted(found)
    ]


def _refused(one: Refused) -> Rejected:
    """Tell the caller of a reading that is scored, and that a store takes never."""
    index = int(one.batch.indexes[one.row])
    return Rejected(0, index, b"", REFUSED_BY_STORE, one.message)
