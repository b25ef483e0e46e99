"""Runs the app with Microsoft's runtime library and times invocations; see `runtime_library`.

``python -m bench.runtime_process FOLDER SECONDS`` takes the deployed copy of the app in FOLDER, and
writes the median seconds of an invocation of 1,000 events as its last line.
"""

import base64
import statistics
import sys
import time
from typing import Any

from bench.workload import make_workload
from tests.official_runtime import OfficialRuntime

N_EVENTS = 1_000
_LEAST = 3


class _TimedRuntime(OfficialRuntime):
    """Notes how long the library takes from message to answer."""

    def __init__(self, folder: str) -> None:
        self.seconds = 0.0
        super().__init__(folder)

    def _ask(self, kind: str, message: Any) -> Any:
        started = time.perf_counter()
        answer = super()._ask(kind, message)
        self.seconds = time.perf_counter() - started
        return answer


def main() -> None:
    """Invoke again and again for a while."""
    folder, seconds = sys.argv[1], float(sys.argv[2])
    sys.path.insert(0, folder)  # the deployed copy, and not the one that this file lies beside
    runtime = _TimedRuntime(folder)
    workload = make_workload(N_EVENTS)
    asked = {
        "function": "score_events",
        "bodies": [base64.b64encode(body).decode() for body in workload.bodies],
        "metadata": {name: datum.value for name, datum in workload.metadata.items()},
    }
    durations: list[float] = []
    end = time.perf_counter() + seconds
    while len(durations) <= _LEAST or time.perf_counter() < end:
        answer = runtime.invoke(asked)
        if answer["status"] != "Success":
            raise RuntimeError(answer["error"])
        durations.append(runtime.seconds)
    print(statistics.median(durations[1:]))  # the first one loads the model


if __name__ == "__main__":
    main()
