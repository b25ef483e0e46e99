"""Scores a first batch in a fresh process, as a cold start does; run by `bench.starts`.

``python -m bench.first_batch FILE`` writes the resident memory in MiB once the batch is stored.
"""

import re
import sys
from pathlib import Path

import function_app  # noqa: F401  # as the worker does first
from bench.workload import load_workload
from scoring.app import get_app

_STATUS = Path("/proc/self/status")  # Linux only


def resident_mib() -> float | None:
    """Return what of this process is in memory; None where the system does not tell."""
    if not _STATUS.exists():
        return None
    found = re.search(r"^VmRSS:\s+(\d+) kB", _STATUS.read_text(), re.MULTILINE)
    return int(found[1]) / 1024 if found else None


if __name__ == "__main__":
    get_app().score_events(load_workload(Path(sys.argv[1])).decoded())
    print(resident_mib() or "", flush=True)
