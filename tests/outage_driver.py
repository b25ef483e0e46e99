"""Scores batch after batch, as fast as it goes, and tells each second how many are done."""

import json
import os
import sys
import threading
import time

import function_app  # noqa: F401  # installs the fast decoding
from bench.one_core import pin_to_core
from bench.workload import make_workload
from scoring.app import get_app

EVENTS = 1_000
_N_BATCHES = 20  # different ones; then the first comes again
_TELL_EVERY_S = 1.0


def main() -> None:
    """Work until the standard input is closed."""
    pin_to_core(int(sys.argv[1]))
    app, done = get_app(), 0
    batches = [make_workload(EVENTS, first=EVENTS * number) for number in range(_N_BATCHES)]
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
