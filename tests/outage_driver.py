"""Scores batch after batch, as fast as it goes, and tells each second how many are done."""

import json
import os
import sys
import threading
import time
from dataclasses import replace

import function_app  # noqa: F401  # installs the fast decoding
from bench.one_core import pin_to_core
from bench.workload import FEATURES, Workload, make_workload
from scoring.app import get_app

EVENTS = 1_000
_N_BATCHES = 20  # different ones; then the first comes again
# The others have none, as most batches in real life: a store of anomalies writes nothing of them,
# and must not pass for one that is back.
_ANOMALIES_EVERY = 4  # batches
# What the workload adds to each feature of an anomaly; the others stay below half of it.
_ADDED = 9.0
_TELL_EVERY_S = 1.0


def batch(number: int) -> Workload:
    """Make a batch, three of four without an anomaly."""
    made = make_workload(EVENTS, first=EVENTS * number)
    if number % _ANOMALIES_EVERY == 0:
        return made
    return replace(made, bodies=[_calmed(body) for body in made.bodies])


def _calmed(body: bytes) -> bytes:
    """Make an anomaly the reading that it would have been."""
    reading = json.loads(body)
    if min(reading[name] for name in FEATURES) < _ADDED / 2:
        return body
    return json.dumps(reading | {name: reading[name] - _ADDED for name in FEATURES}).encode()


def main() -> None:
    """Work until the standard input is closed."""
    pin_to_core(int(sys.argv[1]))
    app, done = get_app(), 0
    batches = [batch(number) for number in range(_N_BATCHES)]
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    told = time.monotonic()
    while not ended.is_set():
        app.score_events(batches[done % _N_BATCHES].decoded())
        done += 1
        if time.monotonic() - told >= _TELL_EVERY_S:
            told = time.monotonic()
            print(json.dumps([told, done, app.delivery.ledger.stores()]), flush=True)
    os._exit(0)  # a request to a silent store need not end


if __name__ == "__main__":
    main()
