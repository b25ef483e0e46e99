"""Says what was measured on: figures mean nothing without it."""

import importlib.metadata
import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_CPU_FACTS = Path("/proc/cpuinfo")  # Linux only
_LIBRARIES = (
    "azure-functions",
    "scikit-learn",
    "numpy",
    "msgspec",
    "influxdb-client",
    "pandas",
)


@dataclass(frozen=True, slots=True)
class Machine:
    """Processor, size, and the versions of what ran on it."""

    date: str
    processor: str
    n_cores: int
    memory_gib: float
    system: str
    python: str
    libraries: tuple[str, ...]

    def lines(self) -> list[str]:
        """Describe the machine for people."""
        return [
            f"{self.date} · {self.processor} · {self.n_cores} cores · {self.memory_gib:.1f} GiB",
            f"{self.system} · Python {self.python} · {' · '.join(self.libraries)}",
        ]


def this_machine() -> Machine:
    """Look at the machine that this runs on."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(
        date=datetime.now(UTC).date().isoformat(),
        processor=_processor(),
        n_cores=os.cpu_count() or 1,
        memory_gib=memory / 2**30,
        system=platform.system(),
        python=platform.python_version(),
        libraries=tuple(f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES),
    )


def _processor() -> str:
    if _CPU_FACTS.exists():
        for line in _CPU_FACTS.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
